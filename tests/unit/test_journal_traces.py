"""What of the journal tells of a person: by its messages and the texts within them, not by how they are stored."""

from __future__ import annotations

import json

import pytest
from google.protobuf.message import Message

from domainmesh.v1 import mention_pb2, product_pb2, publication_pb2
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.upkeep.journal_traces import Teller
from governance_server.upkeep.subject_survey import Subject

NAME = "Zerlina Quackenbush"


def tells(kind: str, message: Message, *values: str) -> bool:
    write = ResourceWrite(kind, "crm.letters", message.SerializeToString())
    return Teller(Subject("pii.name", values or (NAME,))).tells([write])


def verified(**port: object) -> publication_pb2.Publication:
    return publication_pb2.Publication(verified_ports=[publication_pb2.VerifiedPort(port="crm.letters.pages", **port)])


def with_statistics(**values: object) -> publication_pb2.Publication:
    stats = json.dumps({"numRecords": 1, "minValues": values, "maxValues": values, "nullCount": {"name": 0}})
    return verified(files=[publication_pb2.VerifiedFile(name="a.parquet", stats=stats)])


@pytest.mark.parametrize("document", ["Zerlina_Quackenbush-2024.md", "post/zerlina-quackenbush.pdf", "To Zerlina  QUACKENBUSH"])
def test_a_document_of_that_name_tells_of_the_person(document: str) -> None:
    mentions = mention_pb2.DocumentMentions(mentions=[mention_pb2.Mention(document=document)])
    assert tells(kinds.MENTIONS, mentions)
    assert tells(kinds.PUBLICATION, verified(mentions=mentions))


@pytest.mark.parametrize("value", [NAME.upper(), f"\n{NAME}\t", {"full": f"\n{NAME}"}])
def test_statistics_tell_what_they_write_in_the_way_of_json(value: object) -> None:
    assert tells(kinds.PUBLICATION, with_statistics(name=value))


def test_letters_that_json_writes_as_numbers_are_read() -> None:
    assert tells(kinds.PUBLICATION, with_statistics(name="Zoë Ångström"), "zoë ångström")
    assert tells(kinds.PUBLICATION, with_statistics(number=4711), "4711")


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ("2024-01-02T00:00:00", "2024-01-02"),
        ("2024-01-02T09:30:00.000Z", "2024-01-02"),
        ("2024-01-02T09:30:00.000Z", "2024-01-02 09:30:00.000000"),
        ("2024-01-02T09:30:00", "2024-01-02 09:30:00"),
        (4711.5, "4711.50"),
        (4711.5, "4711.5e0"),
        (4711, "4711.00"),
        ("4711.500", "4711.5"),
        (1e20, "100000000000000000000"),
        ([0.25], "0.250"),
    ],
)
def test_statistics_tell_numbers_and_times_by_what_they_are(stored: object, value: str) -> None:
    assert tells(kinds.PUBLICATION, with_statistics(amount=stored), value)


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ("2024-01-02T00:00:00", "2024-01-03"), ("2024-01-02T09:30:00", "2024-01-02 09:30:01"), ("2024-01-02TX", "2024-01-02"),
        (4711.51, "4711.5"), (14711.5, "4711.50"), ("9" * 9000, "4711"), ("1e999999999999", "4711"), (float("nan"), "4711"),
    ],
)  # fmt: skip
def test_other_numbers_and_times_tell_nothing(stored: object, value: str) -> None:
    assert not tells(kinds.PUBLICATION, with_statistics(amount=stored), value)


def test_values_of_partitions_and_samples_of_checks_tell() -> None:
    file = publication_pb2.VerifiedFile(name="a.parquet", partition_values={"name": NAME})
    assert tells(kinds.PUBLICATION, verified(files=[file]))
    assert tells(kinds.RELEASE, product_pb2.Release(quality=[product_pb2.QualityResult(samples=["row 3", f"'{NAME}'"])]))


@pytest.mark.parametrize("text", ["Zerlinas Quackenbush", "Zerlina Quackenbushes", "[Zerlina", "[" * 5000, '{"a": '])
def test_other_words_and_broken_texts_tell_nothing(text: str) -> None:
    assert not tells(kinds.PUBLICATION, publication_pb2.Publication(abort_reason=text, contract_text="x" + text))


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-05:00"])
def test_moments_outside_all_years_of_utc_are_texts_like_others(moment: str) -> None:
    assert tells(kinds.PUBLICATION, publication_pb2.Publication(contract_text=f"born: {moment}"), moment)
    assert not tells(kinds.PUBLICATION, publication_pb2.Publication(contract_text=moment), "2024-01-02")


def test_two_texts_side_by_side_are_no_name() -> None:
    result = product_pb2.QualityResult(samples=["Zerlina", "Quackenbush"])
    assert not tells(kinds.RELEASE, product_pb2.Release(quality=[result]))


def test_a_removed_state_and_one_of_no_known_kind_tell_nothing() -> None:
    teller = Teller(Subject("pii.name", (NAME,)))
    assert not teller.tells([ResourceWrite(kinds.MENTIONS, "crm.letters.pages", None), ResourceWrite("erasure", "7", b"")])


def test_a_text_that_was_looked_at_before_is_no_reason_to_miss_another() -> None:
    teller = Teller(Subject("pii.name", (NAME,)))
    publications = (publication_pb2.Publication(contract_text="id: a", run_id=run) for run in ("run", NAME))
    clean, told = (ResourceWrite(kinds.PUBLICATION, "p", it.SerializeToString()) for it in publications)
    assert [teller.tells([it]) for it in (clean, told, clean, told)] == [False, True, False, True]
