"""Publishing a folder of documents through the SDK: what cannot be read is told of and stops nothing."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from domain_sdk import ContractViolated, Documents, Mesh
from domain_sdk.cli.publishing import _quality
from domain_sdk.documents import Cue
from tests.servers import RunningServer

CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: policy.notes
version: 1.0.0
status: active
schema:
  - name: pages
    physicalType: collection
    properties:
      - {name: document, logicalType: string}
      - {name: text, logicalType: string}
      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 384}}
"""


@pytest.fixture(scope="module")
def paul(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_principal("user:paul")
        admin.admin.create_domain("policy", owners=["user:paul"])
    with server.user("user:paul") as mesh:
        yield mesh


def test_files_that_give_no_document_are_listed_and_stop_nothing(paul: Mesh, tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("# Lunch\n\nLunch is at noon.\n")
    (tmp_path / "empty.md").write_text("---\ntitle: Nothing\n---\n")
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\xff")
    release = paul.domain("policy").product("notes", contract=CONTRACT).publish(pages=tmp_path, progress=False)
    (result,) = [it for it in release.quality if it.check == "documents"]
    assert (result.failing_rows, result.is_blocking) == (2, False)
    heading, *lines = result.message.splitlines()
    assert heading == "2 of 3 files were left out"
    assert sorted(line.partition(": ")[0] for line in lines) == ["bytes.md", "empty.md"]
    assert not any(line.endswith(".") for line in lines)
    console = Console(width=200, file=io.StringIO())
    console.print(_quality(release.quality))
    assert "checks passed; 2 of 3 files were left out" in console.file.getvalue()  # type: ignore[attr-defined]
    assert [hit.document for hit in paul.retrieve("policy.notes.pages", "When is lunch?")] == ["good.md"]


HEARD = CONTRACT.replace("policy.notes", "policy.calls").replace(
    "document,", "heading, logicalType: string}\n      - {name: document,"
)


class Stopwatch:
    """An engine that hears how long a recording is, and breaks at one that is no recording."""

    name = "stopwatch-1"

    def transcribe(self, path: Path) -> Sequence[Cue]:
        with wave.open(str(path)) as sound:
            seconds = sound.getnframes() / sound.getframerate()
        return [Cue(0, 1, "Good morning.", "Ada"), Cue(1, seconds, f"We refund within {seconds:g} days.", "Bo")]


def test_recordings_are_published_through_an_engine_that_hears_them(paul: Mesh, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "call.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(100)
        sound.writeframes(bytes(2 * 4000))
    (tmp_path / "noise.wav").write_bytes(b"no sound")
    product = paul.domain("policy").product("calls", contract=HEARD)
    release = product.publish(pages=Documents(tmp_path, transcriber=Stopwatch()), progress=False)
    (result,) = [it for it in release.quality if it.check == "documents"]
    assert "noise.wav: stopwatch-1 could not hear it (Error)" in result.message
    (passage,) = paul.retrieve("policy.calls.pages", "How long may a refund take?")
    assert (passage.document, passage.heading) == ("call.wav", "Ada, Bo 00:00:00–00:00:40")
    assert "within 40 days" in passage.text
    assert product.show().ports[0].facets.seconds == 40


def test_a_folder_without_one_readable_document_is_refused_with_every_reason(paul: Mesh, tmp_path: Path) -> None:
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ContractViolated) as caught:
        paul.domain("policy").product("notes", contract=CONTRACT).publish(pages=tmp_path, progress=False)
    assert "bytes.md" in str(caught.value)


def test_who_was_granted_one_port_sees_the_product_with_that_port_only(server: RunningServer, paul: Mesh, tmp_path: Path) -> None:
    two = CONTRACT.replace("policy.notes", "policy.two") + CONTRACT[CONTRACT.index("  - name") :].replace("pages", "more")
    (tmp_path / "good.md").write_text("# Lunch\n\nLunch is at noon.\n")
    paul.domain("policy").product("two", contract=two).publish(pages=tmp_path, more=tmp_path, progress=False)
    with server.user("user:guest") as guest:
        paul.grant("user:guest", "policy.two.more", actions=["discover"])
        assert guest.show("policy.two.more").name == "policy.two.more"
        assert [product.name for product in guest.products()] == ["policy.two"]
        assert [port.name for port in guest.show("policy.two").ports] == ["policy.two.more"]
