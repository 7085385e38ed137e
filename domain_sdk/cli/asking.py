"""`ask`: a question in words, answered with numbered sources and the data it used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, PurposeOption
from domain_sdk.cli.output import answer, cell, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from mesh_core.answers.answer import Answer, Citation, Figure, Recommendation, Sentence, Stage

__all__ = ["COMMANDS", "answer_view"]

_DOING = {
    "planning": "Looking for what you may read …",
    "retrieving": "Searching passages …",
    "computing": "Computing figures …",
    "writing": "Writing …",
    "verifying": "Checking …",
}
_LONGEST_QUOTE = 300


def ask(
    ctx: typer.Context,
    question: Annotated[list[str] | None, typer.Argument(help="What you want to know, in words.")] = None,
    purpose: PurposeOption = "",
    collection: Annotated[
        list[str] | None, typer.Option("--collection", metavar="PORT", help="Only this collection; may be repeated.")
    ] = None,
    as_of: Annotated[
        str,
        typer.Option("--as-of", metavar="WHEN", help="Data of a revision or time (2026-11-01), or an answer again by its id."),
    ] = "",
    extractive: Annotated[bool, typer.Option("--extractive", help="Without the server's model, if it has one.")] = False,
    about: Annotated[str | None, typer.Option("--about", metavar="WHOM", help="Whom it is about: 'customer C-0042'.")] = None,
    record_in: Annotated[
        str, typer.Option("--record-in", metavar="PRODUCT", help="Let this product of conversations have the turn.")
    ] = "",
    conversation: Annotated[str, typer.Option("--conversation", help="Which conversation it belongs to, in your words.")] = "",
    as_json: Json = False,
) -> None:
    """Ask a question in words: answered from what you may read, each sentence with its source."""
    from domain_sdk.asking import RecordIn, to_request
    from domain_sdk.asking import ask as asked

    if about is not None and not about.strip():
        raise typer.BadParameter(
            "It is empty: say whom, or leave it out. Is a variable of your shell not set?", param_hint="--about"
        )
    words = " ".join(question or ())
    request = to_request(
        words, purpose=purpose, collections=collection or (), as_of=as_of or None, extractive=extractive, about=about or "",
        recording=RecordIn(record_in, conversation),
    )  # fmt: skip
    with connect(ctx) as mesh, waiting(_DOING["planning"]) as spinner:

        def tell(part: Stage | Sentence) -> None:
            doing = _DOING.get(getattr(part, "name", ""))
            if doing and not getattr(part, "seconds", 0):
                spinner.update(cell(doing))

        found = asked(mesh._transport, request, on_part=tell)
    answer({**_plain(found)} if as_json else found, lambda: answer_view(found), as_json=as_json)


def _plain(found: Answer) -> dict[str, object]:
    from domain_sdk.cli.output import plain

    shown: dict[str, object] = plain(found)
    return {"text": found.text, "is_found": found.is_found, **shown}


def answer_view(found: Answer) -> RenderableType:
    """The caveats and the text, then what their numbers stand for, then what it was made from."""
    from rich.console import Group
    from rich.text import Text

    from mesh_core.answers.answer import NOT_FOUND

    text = Text()
    for caveat in found.caveats:
        text.append_text(cell(caveat.text, "bold yellow")).append(" ")
        text.append("".join(f"[{number}]" for number in caveat.sources), style="cyan").append("\n")
    rules = {it.rule for it in found.recommendation.findings} if found.recommendation else set()
    for sentence in found.sentences:
        if sentence.text in rules:
            continue  # it is shown with how it stands to the case
        text.append_text(cell(sentence.text)).append(" ")
        text.append("".join(f"[{number}]" for number in sentence.sources), style="cyan").append("\n")
    blocks: list[RenderableType] = [text] if text else []
    blocks += [] if found.is_found else [cell(NOT_FOUND, "yellow")]
    blocks += _recommendation(found.recommendation) if found.recommendation else []
    blocks += [cell(notice, "yellow") for notice in found.notices]
    for number in sorted([*(it.number for it in found.citations), *(it.number for it in found.figures)]):
        blocks += [_source(found, number)]
    blocks += _closest(found.closest)
    return Group(*blocks, *_footer(found))


def _closest(closest: Sequence[Citation]) -> list[RenderableType]:
    """The passages to look at where nothing was found, each with its nearest sentence."""
    from rich.padding import Padding

    if not closest:
        return []
    shown: list[RenderableType] = [cell("Closest passages, which may not answer your question:", "yellow")]
    for it in closest:
        start = it.span.start
        quoted = " ".join(" ".join(it.text[quote.start - start : quote.end - start].split()) for quote in it.quotes)
        shown += [_citation(it), Padding(cell(quoted[:_LONGEST_QUOTE]), (0, 0, 0, 4))]
    return shown


def _recommendation(recommendation: Recommendation) -> list[RenderableType]:
    """Each rule with how it stands to the case and why, and what is missing."""
    from rich.text import Text

    colours = {"applies": "green", "open": "yellow"}
    lines: list[RenderableType] = []
    for it in recommendation.findings:
        figures = "".join(f"[{number}]" for number in it.figures)
        told = Text(f"{it.verdict}: ", style=colours.get(str(it.verdict), "dim")).append_text(cell(it.rule))
        lines.append(told.append(f" [{it.source}]", style="cyan").append(f"\n    {it.because} {figures}", style="dim"))
    missing = [cell(f"missing: {it}", "yellow") for it in recommendation.missing]
    return [*lines, *missing, cell("")]


def _source(found: Answer, number: int) -> RenderableType:
    for citation in found.citations:
        if citation.number == number:
            return _citation(citation)
    return next(_figure(figure) for figure in found.figures if figure.number == number)


def _citation(it: Citation) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding

    headings = [part for part in it.section.split(" > ") if part]
    where = " › ".join(headings if it.title in headings[:1] or not it.title else [it.title, *headings])
    page = f", page {it.page}" if it.page else ""
    quotes = ", ".join(f"{quote.start}–{quote.end}" for quote in it.quotes) or f"{it.span.start}–{it.span.end}"
    place = f"{it.document or it.port}{page}, characters {quotes}; {it.port}, version {it.version}"
    return Group(cell(f"[{it.number}] {where or it.document or it.port}", "cyan"), Padding(cell(place, "dim"), (0, 0, 0, 4)))


def _figure(it: Figure) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding

    versions = ", ".join(f"{used.port}, version {used.version}" for used in it.ports)
    lines = [cell(f"{it.sql[:_LONGEST_QUOTE]}{'…' if len(it.sql) > _LONGEST_QUOTE else ''}", "dim"), cell(versions, "dim")]
    return Group(cell(f"[{it.number}] {it.basis}", "cyan"), *(Padding(line, (0, 0, 0, 4)) for line in lines))


def _footer(found: Answer) -> Iterator[RenderableType]:
    """What was looked at, who wrote it, when, and how to get it again."""
    yield ""
    used = [
        f"{it.port} (version {it.version}{'; masked: ' + ', '.join(it.masked_columns) if it.masked_columns else ''})"
        for it in found.ports
    ]
    yield cell(f"looked at: {', '.join(used) or 'nothing'}", "dim")
    seconds = sum(stage.seconds for stage in found.stages)
    written = (
        "put together from passages" if found.writer == "extractive" else f"written by {found.writer}, every sentence checked"
    )
    yield cell(f"{written}, at revision {found.revision}, in {seconds:.1f} s; again: mesh ask --as-of {found.id}", "dim")


COMMANDS = (
    Command(
        "ask",
        ask,
        (
            'mesh ask "How long may a customer return an order?"',
            'mesh ask "May we refund order O-000711?" --purpose customer-service --collection policy.handbook.pages',
            "mesh ask --as-of a-0f3c5a7712345678",
        ),
    ),
)
