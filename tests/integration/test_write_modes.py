"""Append, merge and replace-partitions on a real server: what is read afterwards, what is refused, and who may write at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from domain_sdk import Conflict, ContractViolated, InvalidRequest, Mesh, MeshError, Release
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

COLUMNS = """
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: region, logicalType: string, required: true%s}
      - {name: code, logicalType: string, unique: true}
      - {name: amount, logicalType: integer, logicalTypeOptions: {minimum: 0}}
"""


def contract(name: str, *, partitioned: bool = False, quality: str = "", second: bool = False) -> str:
    """A contract of a table `rows`, and of a second one `other` if asked for."""
    columns = COLUMNS % (", partitioned: true, partitionKeyPosition: 1" if partitioned else "")
    head = f"kind: DataContract\napiVersion: v3.1.0\nid: shop.{name}\nname: {name}\nversion: 1.0.0\nstatus: active\nschema:\n"
    table = "  - name: PORT\n    logicalType: object\n    physicalType: table\n    properties:" + columns
    rules = f"    quality: [{quality}]\n" if quality else ""
    return head + table.replace("PORT", "rows") + rules + (table.replace("PORT", "other") if second else "")


def rows(*ids: int, amount: int = 1, region: str = "EU") -> pl.DataFrame:
    """A row for each id."""
    return pl.DataFrame(
        {"id": ids, "region": [region] * len(ids), "code": [f"m{it}" for it in ids], "amount": [amount] * len(ids)},
        schema={"id": pl.Int64, "region": pl.String, "code": pl.String, "amount": pl.Int64},
    )


@pytest.fixture(scope="module")
def owner(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:olga", "user:otto"])
    with server.user("user:olga") as mesh, server.user("user:otto") as otto:
        otto.grant("user:olga", "shop", actions=["discover", "read"])
        yield mesh


Publish = Callable[..., Release]


@pytest.fixture
def publish(owner: Mesh, request: pytest.FixtureRequest) -> Publish:
    """Publishes a product of this test's own; its name is `publish.name`."""
    name = "p" + str(abs(hash(request.node.name)) % 10**9)

    def run(frame: pl.DataFrame | None, mode: Any = "overwrite", text: str = "", **more: Any) -> Release:
        product = owner.domain("shop").product(name, contract=text or contract(name))
        ports = {} if frame is None else {"rows": frame}
        return product.publish({**ports, **more.pop("others", {})}, mode=mode, progress=False, **more)

    run.name = name  # type: ignore[attr-defined]
    return run


def read(mesh: Mesh, publish: Publish, version: int | None = None) -> list[tuple[Any, ...]]:
    return mesh.read(f"shop.{publish.name}.rows", version=version).sort("id").rows()  # type: ignore[attr-defined]


def stored(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.sort("id").rows()


def test_an_append_adds_rows_and_every_version_reads_as_it_was(owner: Mesh, publish: Publish) -> None:
    publish(rows(1, 2))
    second = publish(rows(3), "append")
    assert [port.row_count for port in second.ports] == [3]
    assert read(owner, publish) == stored(rows(1, 2, 3))
    assert read(owner, publish, 1) == stored(rows(1, 2))


def test_an_append_to_nothing_is_the_first_release(owner: Mesh, publish: Publish) -> None:
    assert publish(rows(1), "append").version == 1
    assert read(owner, publish) == stored(rows(1))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (rows(9, 2), "primaryKey"),
        (rows(9).with_columns(code=pl.lit("m1")), "code.unique"),
        (rows(9, amount=-1), "minimum"),
        (rows(9, 9), "primaryKey"),
    ],
    ids=["a key that is there", "a unique value that is there", "a value out of range", "a key twice"],
)
def test_an_append_that_breaks_a_rule_with_what_is_there_is_refused(
    owner: Mesh, publish: Publish, frame: pl.DataFrame, said: str
) -> None:
    publish(rows(1, 2))
    with pytest.raises(ContractViolated, match=said):
        publish(frame, "append")
    assert read(owner, publish) == stored(rows(1, 2))
    assert publish(rows(3), "append").version == 3


def test_a_preview_of_an_append_tells_of_keys_that_are_there_and_leaves_nothing(
    owner: Mesh, publish: Publish, server: RunningServer
) -> None:
    publish(rows(1, 2))
    product = owner.domain("shop").product(publish.name, contract=contract(publish.name))  # type: ignore[attr-defined]
    assert product.preview(rows=rows(3), mode="append", progress=False).is_ok
    found = product.preview(rows=rows(3, 2), mode="append", progress=False)
    assert not found.is_ok
    assert "primaryKey" in str([it.message for it in found.violations])
    assert read(owner, publish) == stored(rows(1, 2))
    assert [path for path in (server.home / "drop").rglob("*") if path.is_file()] == []


def test_a_merge_replaces_adds_and_deletes_by_key(owner: Mesh, publish: Publish) -> None:
    publish(rows(1, 2, 3, 4))
    changes = pl.concat([rows(2, 9, amount=7), rows(3, 77)]).with_columns(gone=pl.col("id").is_in([3, 77]))
    release = publish(changes, "merge", delete_flag="gone")
    assert read(owner, publish) == stored(pl.concat([rows(1, 4), rows(2, 9, amount=7)]))
    assert [port.row_count for port in release.ports] == [4]
    assert read(owner, publish, 1) == stored(rows(1, 2, 3, 4))


def test_a_merge_of_a_deleted_row_needs_no_more_than_its_key(owner: Mesh, publish: Publish) -> None:
    publish(rows(1, 2))
    flagged = pl.DataFrame({"id": [2], "region": [None], "code": [None], "amount": [-5], "gone": [True]}).cast(
        {"region": pl.String, "code": pl.String}
    )
    publish(flagged, "merge", delete_flag="gone")
    assert read(owner, publish) == stored(rows(1))


def test_a_merge_may_move_a_unique_value_and_may_not_take_one_of_a_row_that_stays(owner: Mesh, publish: Publish) -> None:
    publish(rows(1, 2))
    with pytest.raises(ContractViolated, match=r"code\.unique"):
        publish(rows(1).with_columns(code=pl.lit("m2")), "merge")
    swapped = rows(1, 2).with_columns(code=pl.col("code").reverse())
    publish(swapped, "merge")
    assert read(owner, publish) == stored(swapped)


def test_what_is_not_given_is_kept_and_what_is_given_changes_with_it_at_once(owner: Mesh, publish: Publish) -> None:
    text = contract(publish.name, second=True)  # type: ignore[attr-defined]
    publish(rows(1), text=text, others={"other": rows(7)})
    release = publish(rows(2), "append", text=text)
    assert {port.port.rpartition(".")[2]: port.row_count for port in release.ports} == {"rows": 2, "other": 1}
    assert owner.read(f"shop.{publish.name}.other").rows() == rows(7).rows()  # type: ignore[attr-defined]
    with pytest.raises(InvalidRequest, match="nothing was given"):
        publish(rows(3), text=text)
    publish(None, {"rows": "keep", "other": "overwrite"}, text=text, others={"other": rows(8)})
    assert read(owner, publish) == stored(rows(1, 2))


def test_rules_about_the_table_are_judged_with_the_rows_that_stay(owner: Mesh, publish: Publish) -> None:
    rule = "{metric: rowCount, mustBeBetween: [3, 5]}"
    text = contract(publish.name, quality=rule)  # type: ignore[attr-defined]
    publish(rows(1, 2, 3), text=text)
    release = publish(rows(4), "append", text=text)
    (result,) = [it for it in release.quality if it.check == "quality[0]"]
    assert (str(result.status), result.failing_rows, result.total_rows) == ("passed", 4, 4)
    with pytest.raises(ContractViolated, match=r"rowCount is 6"):
        publish(rows(5, 6), "append", text=text)
    with pytest.raises(ContractViolated, match=r"rowCount is 2"):
        publish(rows(1, 2).with_columns(gone=True), "merge", text=text, delete_flag="gone")
    assert len(read(owner, publish)) == 4


def test_counted_rules_add_up_over_appends_and_merges(owner: Mesh, publish: Publish) -> None:
    text = contract(publish.name).replace(  # type: ignore[attr-defined]
        "{minimum: 0}}", "{minimum: 0}, quality: [{metric: nullValues, mustBeLessThan: 50, unit: percent}]}"
    )
    publish(rows(1, 2, 3), text=text)
    nothing = pl.lit(None, dtype=pl.Int64)
    release = publish(rows(4).with_columns(amount=nothing), "append", text=text)
    found = [it.failing_rows for it in release.quality if it.check == "amount.quality[0]"]
    assert found == [1]
    with pytest.raises(ContractViolated, match="nullValues"):
        publish(rows(1).with_columns(amount=nothing), "merge", text=text)
    release = publish(rows(4, amount=2), "merge", text=text)
    assert [it.failing_rows for it in release.quality if it.check == "amount.quality[0]"] == [0]


def test_repeated_values_are_counted_over_the_whole_table(owner: Mesh, publish: Publish) -> None:
    text = contract(publish.name).replace(  # type: ignore[attr-defined]
        "required: true}\n      - {name: code",
        "required: true, quality: [{metric: duplicateValues, mustBeLessThan: 2}]}\n      - {name: code",
    )
    publish(rows(1), text=text)
    publish(rows(2), "append", text=text)
    with pytest.raises(ContractViolated, match="duplicateValues"):
        publish(rows(3), "append", text=text)


@pytest.mark.parametrize(
    ("mode", "said"),
    [("upsert", "no mode"), ({"nope": "append"}, "no such port"), ({"rows": "keep"}, "is given and to be kept"),
     ("replace-partitions", "no partition columns")],
)  # fmt: skip
def test_a_mode_that_cannot_be_is_refused_before_anything_is_written(publish: Publish, mode: Any, said: str) -> None:
    publish(rows(1))
    with pytest.raises(InvalidRequest, match=said):
        publish(rows(2), mode)


def test_partitions_that_are_delivered_are_replaced_and_the_others_stay(owner: Mesh, publish: Publish) -> None:
    text = contract(publish.name, partitioned=True)  # type: ignore[attr-defined]
    publish(pl.concat([rows(1, 2), rows(3, region="US"), rows(4, region="AP")]), text=text)
    release = publish(pl.concat([rows(1, 9, amount=5), rows(8, region="SA")]), "replace-partitions", text=text)
    wanted = pl.concat([rows(1, 9, amount=5), rows(3, region="US"), rows(4, region="AP"), rows(8, region="SA")])
    assert read(owner, publish) == stored(wanted)
    assert [port.row_count for port in release.ports] == [5]
    with pytest.raises(ContractViolated, match="primaryKey"):
        publish(rows(3, region="EU"), "replace-partitions", text=text)
    publish(pl.concat([rows(3, region="EU", amount=9), rows(1, amount=6)]), "merge", text=text)
    assert {(1, "EU", "m1", 6), (3, "EU", "m3", 9), (9, "EU", "m9", 5)} <= set(read(owner, publish))


def at_once(works: list[Callable[[], object]]) -> list[BaseException | None]:
    """What each raised; they began together."""
    barrier, raised = threading.Barrier(len(works)), [None] * len(works)

    def run(index: int) -> None:
        barrier.wait()
        try:
            works[index]()
        except BaseException as error:  # noqa: BLE001 # looked at by the test
            raised[index] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_twenty_merges_and_appends_of_different_keys_at_once_all_succeed(owner: Mesh, publish: Publish) -> None:
    publish(rows(*range(100)))
    modes = ["merge", "append"]
    works = [lambda n=n: publish(rows(n, 1000 + n, amount=n) if n % 2 == 0 else rows(1000 + n), modes[n % 2]) for n in range(20)]
    assert at_once(works) == [None] * 20
    found = {row[0]: row[3] for row in read(owner, publish)}
    assert set(found) == {*range(100), *range(1000, 1020)}
    assert all(found[n] == n for n in range(0, 20, 2))


def test_of_two_overwrites_at_once_one_wins_and_nothing_is_left_of_the_other(
    owner: Mesh, publish: Publish, server: RunningServer
) -> None:
    publish(rows(1))
    raised = at_once([lambda n=n: publish(rows(n)) for n in (2, 3)])
    assert [type(it) for it in raised if it is not None] == [Conflict]
    assert read(owner, publish) == stored(rows(2 if raised[0] is None else 3))
    assert [path for path in (server.home / "drop").rglob("*") if path.is_file()] == []


class Held:
    """A frame that is read no further until it is let go, so that another publication can come in between."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.reading, self.go_on = threading.Event(), threading.Event()
        self.frame = frame.lazy().map_batches(self._wait, schema=frame.schema)

    def _wait(self, batch: pl.DataFrame) -> pl.DataFrame:
        self.reading.set()
        assert self.go_on.wait(60)
        return batch


@pytest.mark.parametrize(("frame", "between", "kind"), [
    (rows(1, amount=5), lambda publish: publish(rows(1, amount=6), "merge"), Conflict),
    (rows(1, amount=5), lambda publish: publish(rows(2, amount=6), "merge"), None),
    (rows(1, amount=5), lambda publish: publish(rows(1, 2, amount=9)), Conflict),
    (rows(7, amount=5), lambda publish: publish(rows(7), "append"), Conflict),
], ids=["the same key", "another key", "all overwritten", "a key that was new to both"])  # fmt: skip
def test_a_merge_conflicts_with_what_changed_its_keys_since_it_began(
    owner: Mesh, publish: Publish, frame: pl.DataFrame, between: Callable[[Publish], object], kind: type[MeshError] | None
) -> None:
    publish(rows(1, 2))
    held = Held(frame)
    raised: list[BaseException] = []

    def merge() -> None:
        try:
            publish(held.frame, "merge")
        except MeshError as error:
            raised.append(error)

    thread = threading.Thread(target=merge)
    thread.start()
    assert held.reading.wait(60)
    between(publish)
    held.go_on.set()
    thread.join()
    assert [type(it) for it in raised] == ([] if kind is None else [kind])
    if kind is None:
        assert [row[3] for row in read(owner, publish)] == [5, 6]


def test_a_run_that_is_repeated_is_the_same_release_and_writes_nothing(owner: Mesh, publish: Publish) -> None:
    publish(rows(1))
    first = publish(rows(2), "append", run_id="2026-11-26")
    again = publish(rows(2), "append", run_id="2026-11-26")
    assert again.version == first.version
    assert read(owner, publish) == stored(rows(1, 2))
    assert publish(rows(3), "append", run_id="2026-11-27").version == first.version + 1


def test_a_run_that_is_made_twice_at_once_is_one_release_for_both(owner: Mesh, publish: Publish) -> None:
    publish(rows(1))
    begun = threading.Barrier(2)
    made: list[int] = []

    def slowly(late: bool) -> pl.LazyFrame:
        def waiting(frame: pl.DataFrame) -> pl.DataFrame:
            begun.wait(30)
            if late:  # what the other delivered is released, and the folder of both is gone
                first.join(60)
            return frame

        return rows(2).lazy().map_batches(waiting, schema=rows(2).schema)

    def run(late: bool) -> None:
        made.append(publish(slowly(late), "append", run_id="2026-11-26").version)

    first, second = (threading.Thread(target=run, args=(late,)) for late in (False, True))
    first.start(), second.start()
    first.join(60), second.join(60)
    assert made == [made[0]] * 2
    assert read(owner, publish) == stored(rows(1, 2))


def test_a_run_that_failed_may_be_repeated_until_it_succeeds(owner: Mesh, publish: Publish) -> None:
    publish(rows(1))
    with pytest.raises(ContractViolated):
        publish(rows(2, amount=-1), "append", run_id="r")
    assert publish(rows(2), "append", run_id="r").version == 3
    assert read(owner, publish) == stored(rows(1, 2))
