"""`Mesh`: the way into a data mesh. Find, ask for, read and trace data products; `domain()` leads to publishing.

Owns the public calls and their arguments; each is a thin step to the module that does the work, loaded on first use so that
importing the SDK stays cheap. Whether a call is allowed is always the server's decision.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from domain_sdk._access import AccessCalls
from domain_sdk._arguments import checked_names, checked_number, checked_text
from domain_sdk._expectations import ExpectationCalls
from domain_sdk._lineage_calls import LineageCalls
from domain_sdk.admin import Admin
from domain_sdk.approval_rules import ApprovalRules
from domain_sdk.audit import Audit
from domain_sdk.changes import Changes
from domain_sdk.contract_changes import ContractChanges
from domain_sdk.policy import Policy

if TYPE_CHECKING:
    from types import TracebackType

    import polars as pl

    from domain_sdk._transport import Transport
    from domain_sdk.asking import Answer, AsOf, OnPart
    from domain_sdk.catalog import DomainEntry, Hit, PortEntry, ProductEntry
    from domain_sdk.collections import Passage
    from domain_sdk.conversations import Conversations, Feedback
    from domain_sdk.domain import Domain
    from domain_sdk.identity import Principal, ServerStatus
    from domain_sdk.mentions import Mention
    from domain_sdk.open_lineage import EventResult, LineageRun, RunSummary
    from domain_sdk.quality import QualityWarning
    from domain_sdk.read import GovernedScan, Via
    from domain_sdk.sql import QueryPlan

__all__ = ["Mesh"]


class Mesh(AccessCalls, LineageCalls, ExpectationCalls):
    """A mesh as one principal sees it. Made by `Mesh.connect()`; safe to share between threads; close it or use `with`.

    Every call may raise a `MeshError`, whose class says why it failed.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.admin = Admin(transport)
        self.approval_rules = ApprovalRules(transport)
        self.audit = Audit(transport)
        self.changes = Changes(transport)
        self.contracts = ContractChanges(transport)
        self.policy = Policy(transport)

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        token: str | None = None,
        *,
        profile: str | None = None,
        ca_file: str | None = None,
        timeout_seconds: float = 30.0,
    ) -> Mesh:
        """The mesh at the URL. Nothing is sent before the first call.

        Args:
            url: `https://host[:port]`, or `http://127.0.0.1:port` on this machine. Else MESH_URL, else the profile.
            token: The bearer token. Else MESH_TOKEN, else the profile's.
            profile: A saved profile to use by name.
            ca_file: PEM file with the certificates to trust instead of the system's. Else MESH_CA.
            timeout_seconds: How long a single answer may take; streams are not bound by it.

        Raises:
            NotConfigured: no server or no token is known.
            InvalidRequest: the URL is malformed, or would send the token unencrypted to another machine.
        """
        from domain_sdk._profiles import find_connection, session_token
        from domain_sdk._transport import Transport

        found = find_connection(url, token, profile=profile)
        trusted = ca_file or os.environ.get("MESH_CA") or None
        sent = session_token(found).current if found.session else found.token
        return cls(Transport(found.url, sent, ca_file=trusted, timeout_seconds=timeout_seconds))

    def close(self) -> None:
        """The connections are closed and what still runs is cancelled."""
        self._transport.close()

    def __enter__(self) -> Mesh:
        """The mesh itself; leaving the block closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """The mesh is closed."""
        self.close()

    def __repr__(self) -> str:
        """The address, without the token."""
        return f"Mesh({self._transport.url!r})"

    @property
    def revision(self) -> int:
        """The newest journal revision this client has seen; later calls are answered no older than that."""
        return self._transport.revision

    def whoami(self) -> Principal:
        """Who the token says the caller is."""
        from domain_sdk import _identity_calls

        return _identity_calls.get_principal(self._transport)

    def status(self) -> ServerStatus:
        """What the server is and what waits for the caller."""
        from domain_sdk import _identity_calls

        return _identity_calls.get_status(self._transport)

    def quality_warnings(self, domain: str = "") -> list[QualityWarning]:
        """What is late or suspicious of the products the caller may discover; of one domain if it is given."""
        from domain_sdk.quality import quality_warnings

        return quality_warnings(self._transport, domain=domain)

    # Catalog

    def domain(self, name: str) -> Domain:
        """The handle of a domain: its products, and what it may publish. Asks the server nothing yet."""
        from domain_sdk.domain import Domain

        return Domain(self, name)

    def domains(self) -> list[DomainEntry]:
        """The domains the caller may discover, by name."""
        from domain_sdk import _catalog_calls

        return _catalog_calls.list_domains(self._transport)

    def products(self, domain: str = "") -> list[ProductEntry]:
        """The products the caller may discover, by name; of one domain if it is given."""
        from domain_sdk import _catalog_calls

        return _catalog_calls.list_products(self._transport, domain)

    def discover(self, query: str = "", *, tag: str = "", domain: str = "", limit: int = 20) -> list[Hit]:
        """Products and ports that match the words, best first; an exact name is always first."""
        from domain_sdk import _catalog_calls

        return _catalog_calls.discover(self._transport, query, tag=tag, domain=domain, limit=limit)

    def show(self, name: str, *, as_of: int = 0) -> DomainEntry | ProductEntry | PortEntry:
        """The domain, product or port of that name, at a journal revision (0: now)."""
        from domain_sdk import _catalog_calls

        return _catalog_calls.show(self._transport, name, as_of)

    def record_events(self, events: Iterable[str | bytes]) -> list[EventResult]:
        """For each OpenLineage event (JSON) its receipt, or why it was refused; accepted ones are durable."""
        from domain_sdk.open_lineage import record_events

        return list(record_events(self._transport, events))

    def set_dataset_alias(self, dataset: str, port: str = "") -> None:
        """The dataset (`namespace|name`) is the port under another name; without a port it is not any more."""
        from domain_sdk.open_lineage import set_dataset_alias

        set_dataset_alias(self._transport, dataset, port)

    def runs(
        self, dataset: str = "", *, namespace: str = "", job: str = "", as_of: int = 0, limit: int | None = None
    ) -> list[LineageRun]:
        """The runs that read or wrote a port or dataset (`namespace|name`), or those of a job; newest first.

        With `as_of` as the events tell that had been received when that journal revision was written.
        """
        from domain_sdk.open_lineage import list_runs

        return list_runs(self._transport, dataset=dataset, namespace=namespace, job=job, as_of=as_of, limit=limit)

    def run_summaries(self, namespace: str, job: str) -> list[RunSummary]:
        """What is left of a job's runs that the server has compacted: how many ended how, from when to when."""
        from domain_sdk.open_lineage import run_summaries

        return run_summaries(self._transport, namespace, job)

    # Reading

    def scan(
        self,
        port: str,
        *,
        purpose: str | None = None,
        version: int | None = None,
        via: Via = "auto",
        timeout_seconds: float | None = None,
    ) -> pl.LazyFrame:
        """The port as a lazy frame that shows exactly what policy lets the caller see; the version is pinned on first use.

        Columns, translatable predicates and limits written on it are pushed to the gateway. A denial shows when it is
        used: as the `MeshError` when rows are read, inside polars' ComputeError when the schema is resolved.

        Args:
            port: Three-part name.
            purpose: Why it is read; must be one the caller holds.
            version: The product's version; the one now served when None.
            via: `stream`, `files` (governed Parquet files), or `auto`: files when nothing was pushed down and the port is large.
            timeout_seconds: How long one read may take; for ever when None.
        """
        from domain_sdk import read

        return read.scan(self._source(port, purpose=purpose, version=version, via=via, timeout_seconds=timeout_seconds))

    def read(
        self,
        port: str,
        *,
        columns: Sequence[str] | None = None,
        where: pl.Expr | str | None = None,
        limit: int | None = None,
        purpose: str | None = None,
        version: int | None = None,
        via: Via = "auto",
        timeout_seconds: float | None = None,
    ) -> pl.DataFrame:
        """The rows as an eager frame: the columns in the order given (all visible ones when None), where the predicate is true.

        `where` is a polars expression, or SQL text like `kilos > 10 AND region = 'EU'`.

        Raises:
            InvalidRequest: an argument is malformed, or names a column that is not visible.
            AccessDenied: the caller may not read the port for this purpose.
        """
        from domain_sdk import read

        source = self._source(port, purpose=purpose, version=version, via=via, timeout_seconds=timeout_seconds)
        shown = None if columns is None else checked_names(columns, "columns")
        most = checked_number(limit, "limit")
        return read.collect(source, columns=shown, where=where, limit=most)

    def _source(
        self,
        port: str,
        *,
        purpose: str | None = None,
        version: int | None = None,
        via: Via = "auto",
        timeout_seconds: float | None = None,
    ) -> GovernedScan:
        from domain_sdk.read import GovernedScan
        from domainmesh.v1.read_service_pb2 import PlanReadRequest

        request = PlanReadRequest(
            port=checked_text(port, "port", example="finance.ledger.entries"),
            purpose=checked_text(purpose or "", "purpose"),
            version=checked_number(version, "version") or 0,
        )
        return GovernedScan(self._transport, request, via=via, timeout_seconds=timeout_seconds)

    def sql(
        self, query: str, *, purpose: str | None = None, limit: int | None = None, timeout_seconds: int | None = None
    ) -> pl.DataFrame:
        """The rows of one SELECT over ports, which sees exactly what policy lets the caller see.

        Published as it is, the frame has the lineage of the query; what is made of it has none, unless `inputs` name the ports.

        Args:
            query: DuckDB's dialect; tables are ports by their three-part names, `AT (VERSION => 3)` reads an older version.
            purpose: Why it is asked; must be one the caller holds for every port.
            limit: At most this many rows; all when None.
            timeout_seconds: The gateway stops the query after this; 60 when None, at most 3600.

        Raises:
            InvalidRequest: the query cannot be understood, or names what the caller cannot see in a port it may read.
            AccessDenied: the caller may not read one of the ports for this purpose.
            DeadlineExceeded: it took too long.
        """
        from domain_sdk import sql
        from domain_sdk._made_frames import remember

        found = sql.run_query(self._transport, sql.to_request(query, purpose, limit, timeout_seconds))
        remember(found.frame, found.lineage)
        return found.frame

    def measure(
        self,
        *measures: str,
        by: Sequence[str] = (),
        where: str | None = None,
        period: str | None = None,
        purpose: str | None = None,
        version: int | None = None,
    ) -> pl.DataFrame:
        """Figures that a contract defines, computed over exactly what policy lets the caller see: one row for each group.

        The frame has the groups' columns in the order of `by`, sorted by them, then one column for each measure.
        `show(port).measures` lists what there is, with its unit.

        Args:
            measures: Four-part names of one port's measures, like `finance.revenue.revenue.net_revenue`.
            by: Dimensions or columns to group by, or a grain of time: day, week, month, quarter, year. One row when left out.
            where: A condition on rows, as SQL over the port's columns and dimensions.
            period: Calendar time, like `2026-03`, `Q1 2026` or `last month`; compared with the measures' time dimension.
            purpose: Why it is asked.
            version: The product's version, with its contract's definitions; the one now served when None.

        Raises:
            InvalidRequest: the port has no such measure or dimension, or a column that one needs is hidden from the caller.
            AccessDenied: the caller may not read the port for this purpose.
        """
        from domain_sdk import sql

        request = sql.measure_request(
            measures, by=by, where=where, period=sql.period_of(period), purpose=purpose, version=version
        )
        return sql.run_query(self._transport, request).frame

    def plan_sql(self, query: str, *, purpose: str | None = None) -> QueryPlan:
        """What a query would read and give, under which policy, and how it would be run; no row is read."""
        from domain_sdk import sql

        return sql.plan_query(self._transport, sql.to_request(query, purpose, None, None))

    def retrieve(
        self, port: str, query: str, *, limit: int = 5, purpose: str | None = None, version: int | None = None
    ) -> list[Passage]:
        """The passages of a collection nearest to the question, best first, among those the caller may see.

        Args:
            port: The collection, by its three-part name.
            query: The question, 1 to 4,000 characters.
            limit: At most so many passages, 1 to 100. `pl.DataFrame(passages)` is a table of them, a column a field.
            purpose: What they are read for; it must be held for the collection.
            version: The product's version; the one now served when left out.

        Raises:
            AccessDenied: the collection may not be read, or does not exist, or all of its text is masked.
            PurposeNotHeld: the purpose is unknown or not held.
            InvalidRequest: the port is a table, or an argument is out of its bounds.
            NotFound: there is no such version.
            WrongState: the version was retired, or what is stored of it is not what was published.
            StorageUnavailable: the vector store does not answer.
        """
        from domain_sdk.collections import retrieve

        return retrieve(self._transport, port, query, limit=limit, purpose=purpose or "", version=version or 0)

    def ask(
        self,
        question: str = "",
        *,
        purpose: str | None = None,
        collections: Sequence[str] = (),
        as_of: AsOf | None = None,
        extractive: bool = False,
        about: str = "",
        record_in: str = "",
        conversation: str = "",
        on_part: OnPart | None = None,
    ) -> Answer:
        """The answer to a question in words, from what the caller may read: each sentence with the passages or figures behind it.

        An answer without sentences (`is_found` is false) says that nothing the caller may read supports one, whether or not
        there is something that it may not read.

        Args:
            question: In words, at most 4,000 characters; may be left out if `as_of` names an earlier answer.
            purpose: Why it is asked; counts for every port that the caller holds it for.
            collections: Only these, at most 16; all that the caller may read if empty.
            as_of: Data of a journal revision or a point in time, or an earlier answer of the caller's by its id, given again
                as far as the caller may still read what it rests on. Rights are always those of now.
            extractive: True for an answer without a model, though the server has one.
            about: Whom or what it is about, in words with a key, like `customer C-0042`, at most 200 characters: what the caller
                may know of it for the purpose is looked up, may be cited, and directs the search.
            record_in: A product of conversations (`mesh.conversations`) that may have the question, the answer and what the
                caller thinks of it (`mesh.rate`); nothing is recorded without it.
            conversation: Which conversation the turn belongs to, in the caller's words, at most 200 characters.
            on_part: Is told of steps and sentences as they come.

        Raises:
            AccessDenied: a collection that is named may not be searched, or access changed meanwhile.
            PurposeNotHeld: the purpose is held for nothing that the caller may read.
            NotFound: there is no such answer of the caller's.
            InvalidRequest: an argument is malformed or too long, or `as_of` has not come yet.
            WrongState: `record_in` takes in no conversations.
        """
        from domain_sdk import asking

        request = asking.to_request(
            question, purpose=purpose or "", collections=collections, as_of=as_of, extractive=extractive, about=about,
            recording=asking.RecordIn(record_in, conversation),
        )  # fmt: skip
        return asking.ask(self._transport, request, on_part=on_part)

    def rate(self, answer_id: str, rating: Literal["", "up", "down"] = "", *, edit: str = "", comment: str = "") -> Feedback:
        """What the caller thinks of an answer that it had recorded: whether it helped, what it should have been, why.

        What is left out stays as it was said before; returned is all that is kept.

        Args:
            answer_id: The answer, by its `id`.
            rating: Whether it helped.
            edit: What it should have been, at most 10,000 characters.
            comment: Why, at most 2,000 characters.

        Raises:
            InvalidRequest: nothing is said, or too much.
            NotFound: no such answer of the caller's is being recorded.
        """
        from domain_sdk.conversations import rate

        return rate(self._transport, answer_id, rating, edit=edit, comment=comment)

    def conversations(self, product: str) -> Conversations:
        """The conversations of a product: to open it, to collect what people had recorded, to publish what they prefer."""
        from domain_sdk.conversations import Conversations

        return Conversations(self, product)

    def mentions(self, port: str, key: object, *, purpose: str | None = None) -> list[Mention]:
        """Where documents mention the record of a table with this primary key (one value, or several in the key's order).

        Found are exact matches of the table's columns that are tagged `pii`, in collections that the caller may read; collections
        that were published before the table was are searched when they are published next. They come by collection, then in
        the order of its passages; there are none, too, if no record has the key.

        Args:
            port: The table, by its three-part name.
            key: The value of its primary key, or a list of several.
            purpose: What for; it must be held for the table, and gives the collections for which it is held, too.

        Raises:
            AccessDenied: the table may not be read, or not every row of it, or its key is hidden or masked.
            InvalidRequest: the key has another number of values than the table's primary key.
        """
        from domain_sdk.mentions import list_mentions

        return list_mentions(self._transport, port, key, purpose=purpose or "")
