"""How decision records become a report."""

from __future__ import annotations

from domainmesh.v1 import decision_log_pb2 as pb
from governance_server.audit.report import ReportFold

ENTRIES, ACCOUNTS = "finance.ledger.entries", "finance.ledger.accounts"
ENDS = {
    "begun": pb.DECISION_END_BEGUN,
    "complete": pb.DECISION_END_COMPLETE,
    "revoked": pb.DECISION_END_REVOKED,
    "denied": pb.DECISION_END_DENIED,
}


def record(
    call: str, end: str, *, rows: int = 0, resource: str = ENTRIES, after: bool = False, **more: object
) -> pb.DecisionRecord:
    """A read of `amount`; `after` if an earlier record says that it began."""
    fields = {"kind": pb.DECISION_KIND_READ, "columns": ["amount"], "rules": ["g-1"], **more}
    return pb.DecisionRecord(
        call_id=call, end=ENDS[end], principal="user:ana", action="read", resource=resource, rows=rows, was_begun=after,
        is_allowed=end != "denied", **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def fold(*oldest_first: pb.DecisionRecord, resource: str = "", column: str = "") -> ReportFold:
    found = ReportFold(resource, column)
    found.take(reversed(oldest_first))
    return found


def test_a_call_that_began_and_ended_is_one_use_and_one_that_only_began_is_unfinished() -> None:
    (use,) = fold(
        record("a", "begun"), record("b", "complete", rows=5), record("c", "begun"), record("a", "complete", rows=7, after=True)
    ).uses.values()
    assert (use.count, use.rows, use.unfinished) == (3, 12, 1)


def test_nothing_is_kept_of_calls_whose_beginning_was_seen() -> None:
    calls = [str(number) for number in range(1000)]
    found = fold(*(record(it, "begun") for it in calls), *(record(it, "complete", after=True) for it in calls))
    assert (len(found.uses), len(found._ended)) == (1, 0)


def test_what_was_complete_and_then_cut_is_counted_once() -> None:
    (use,) = fold(record("a", "complete", rows=5), record("a", "revoked", rows=5, after=True)).uses.values()
    assert (use.count, use.rows, use.unfinished) == (1, 5, 1)


def test_each_port_of_one_query_is_a_use_of_its_own_also_if_it_is_read_twice() -> None:
    parts = [(ENTRIES, 9), (ENTRIES, 9), (ACCOUNTS, 9)]
    begun = [record("q", "begun", resource=port, kind=pb.DECISION_KIND_SQL) for port, _ in parts]
    ended = [record("q", "complete", rows=n, resource=port, after=True, kind=pb.DECISION_KIND_SQL) for port, n in parts]
    found = {use.port: (use.count, use.rows) for use in fold(*begun, *ended).uses.values()}
    assert found == {ENTRIES: (2, 18), ACCOUNTS: (1, 9)}


def test_uses_are_told_apart_by_purpose_and_rules_and_know_their_columns() -> None:
    found = fold(
        record("a", "complete", rows=1),
        record("b", "complete", rows=2, columns=["amount", "iban"], masked_columns=["iban"]),
        record("c", "complete", rows=4, purpose="audit"),
        record("d", "complete", rows=8, rules=["g-2"], revision=3),
    )
    uses = {
        (use.purpose, *use.rules): (use.count, use.rows, [*use.columns], [*use.masked_columns]) for use in found.uses.values()
    }
    assert uses == {
        ("", "g-1"): (2, 3, ["amount", "iban"], ["iban"]),
        ("audit", "g-1"): (1, 4, ["amount"], []),
        ("", "g-2"): (1, 8, ["amount"], []),
    }
    assert found.rules == {"g-1": 0, "g-2": 3}


def test_a_report_on_a_column_leaves_out_reads_of_others_and_keeps_refusals_of_its_port() -> None:
    found = fold(
        record("a", "complete", rows=1, columns=["id"]),
        record("b", "complete", rows=2),
        record("c", "denied"),
        record("d", "denied", resource=f"{ENTRIES}#amount"),
        record("e", "denied", resource=f"{ENTRIES}#id"),
        resource=ENTRIES,
        column="amount",
    )
    assert [use.rows for use in found.uses.values()] == [2]
    assert {denial.resource for denial in found.denials.values()} == {ENTRIES, f"{ENTRIES}#amount"}


def test_of_many_checks_only_those_on_the_resource_that_were_denied_are_refusals() -> None:
    many = record("m", "denied", kind=pb.DECISION_KIND_CHECK_MANY, resource="")
    many.checks.questions.extend([f"read {ENTRIES} (audit)", "read finance.ledgers.x", "write sales.orders", f"write {ACCOUNTS}"])
    many.checks.denied_questions = 3
    found = fold(many, many, resource="finance.ledger")
    assert [(it.resource, it.action, it.count) for it in found.denials.values()] == [(ENTRIES, "read", 2)]
