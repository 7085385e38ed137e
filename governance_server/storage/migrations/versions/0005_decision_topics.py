"""One index row a decision record, whatever it is about; what many checks are about is one text."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_ORDINAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PAGE = 1000


def upgrade() -> None:
    """Makes both tables, and the index anew from the records."""
    op.drop_table("decision")
    op.create_table(
        "decision",
        sa.Column("sequence", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("resource", _TEXT, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("principal", _TEXT, nullable=False),
        sa.Column("kind", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.BigInteger, nullable=False),
    )
    op.create_index("decision_time", "decision", ["time_us", "sequence"])
    op.create_index("decision_principal", "decision", ["principal", "sequence"])
    op.create_index("decision_resource", "decision", ["resource", "sequence"])
    op.create_table(
        "decision_topics",
        sa.Column("sequence", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("topics", _TEXT, nullable=False),
    )
    if not op.get_context().as_sql:
        _index_records(op.get_bind())


def _index_records(connection: sa.Connection) -> None:
    from domainmesh.v1.decision_log_pb2 import DecisionRecord
    from governance_server.audit.decision_log import index_of

    read = sa.text(
        "SELECT sequence, received_at_us, body FROM event WHERE stream = 'decisions' AND sequence > :after "
        "ORDER BY sequence LIMIT :page"
    )
    index = sa.text("INSERT INTO decision VALUES (:sequence, :resource, :time_us, :principal, :kind, :outcome)")
    topics = sa.text("INSERT INTO decision_topics VALUES (:sequence, :topics)")
    after = 0
    while page := connection.execute(read, {"after": after, "page": _PAGE}).fetchall():
        for sequence, time_us, body in page:
            entry = index_of(DecisionRecord.FromString(body))
            named = {"sequence": sequence, "resource": entry.resource, "time_us": time_us, "principal": entry.principal}
            connection.execute(index, {**named, "kind": entry.kind, "outcome": entry.outcome})
            if entry.topics:
                connection.execute(topics, {"sequence": sequence, "topics": entry.topics})
        after = page[-1][0]
