from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database, open_database
from governance_server.storage.resources import Selection
from tests.integration.journal_databases import postgres_url, running_journal, sqlite_url, writing

NAMES = ["Z.upper", "finance", "finance.a", "finance.b", "finance.ä", "finance_x.a", "sales.a", "user:ana"]
"""In byte order, which no locale's collation shares."""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else stack.enter_context(postgres_url())
        database = open_database(url)
        with running_journal(database) as journal:
            for name in reversed(NAMES):
                journal.submit(writing(("product", name, name.encode()), ("grant", name, b"")))
        yield database
        database.close()


def names(catalog: Catalog, **selection: object) -> list[str]:
    return [name for name, _ in catalog.list("product", **selection)]  # type: ignore[arg-type]


def test_a_list_is_in_byte_order_with_bodies(database: Database) -> None:
    assert Catalog(database).list("product") == [(name, name.encode()) for name in NAMES]


def test_pages_by_the_last_name_hold_every_resource_once(database: Database) -> None:
    catalog, seen, last = Catalog(database), [], ""
    while page := names(catalog, after_name=last, limit=3):
        assert len(page) <= 3
        seen += page
        last = page[-1]
    assert seen == NAMES


def test_a_list_of_a_domain_or_a_prefix_holds_no_other(database: Database) -> None:
    catalog = Catalog(database)
    assert names(catalog, domain="finance") == ["finance", "finance.a", "finance.b", "finance.ä"]
    assert names(catalog, domain="") == ["Z.upper", "user:ana"]
    assert names(catalog, prefix="finance.") == ["finance.a", "finance.b", "finance.ä"]
    assert names(catalog, prefix="finance%") == []
    assert names(catalog, domain="finance", prefix="finance.", after_name="finance.a", limit=1) == ["finance.b"]
    assert names(catalog, domain="nowhere") == []


def test_a_snapshot_keeps_its_state_and_the_catalog_moves_on(database: Database) -> None:
    catalog = Catalog(database)
    snapshot = catalog.snapshot()
    with running_journal(database) as journal:
        journal.submit(writing(("product", "finance.a", None), ("product", "finance.b", b"new"), ("product", "finance.c", b"c")))
    assert snapshot.select("product", Selection(domain="finance", limit=None)) == [
        (name, name.encode()) for name in ("finance", "finance.a", "finance.b", "finance.ä")
    ]
    assert (snapshot.get("product", "finance.a"), snapshot.get("product", "finance.c")) == (b"finance.a", None)
    assert names(catalog, domain="finance") == ["finance", "finance.b", "finance.c", "finance.ä"]
    assert (catalog.get("product", "finance.a"), catalog.get("product", "finance.b")) == (None, b"new")
    assert catalog.revision() == snapshot.revision + 1


def test_the_hot_reads_are_index_look_ups(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path))
    statements: list[str] = []
    database.reader().set_trace_callback(statements.append)  # type: ignore[attr-defined]
    catalog = Catalog(database)
    catalog.get("product", "finance.a")
    catalog.get("product", "finance.a", as_of=3)
    catalog.list("product", after_name="x")
    catalog.list("product", domain="finance", after_name="x")
    catalog.list("product", domain="finance", as_of=3)
    catalog.list("product", prefix="finance.", as_of=3)
    database.reader().set_trace_callback(None)  # type: ignore[attr-defined]
    for statement in statements:
        plan = " ".join(row[3] for row in database.reader().execute(f"EXPLAIN QUERY PLAN {statement}").fetchall())
        assert plan.startswith("SEARCH resource USING"), statement
        assert "TEMP B-TREE" not in plan, statement
        assert "name" in plan or "domain" in plan, f"{statement}: {plan}"
    database.close()
