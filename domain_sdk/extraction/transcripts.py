"""Transcripts of recordings: WebVTT, SubRip and the JSON of Amazon Transcribe, as text in which every cue is an anchor.

Cues of one speaker that follow each other become a paragraph. Source: W3C WebVTT; the output schema of Amazon Transcribe.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from domain_sdk.extraction.encodings import characters
from domain_sdk.extraction.extracted import Anchor, Extracted, Unreadable

__all__ = ["Cue", "from_cues", "read_transcript"]

_TIME = r"((?:\d{1,4}:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,9})?)"
_TIMING = re.compile(rf"\s*{_TIME}\s*-{{1,2}}>\s*{_TIME}(?=\s|\Z)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[^>]*>")
_NAMED = re.compile(r"(?:>>\s*)?(?:\[([^\]\n]{1,40})\]:?|([^\W\d_][\w.'’ -]{0,38}):)\s+(?=\S)")
_NO_SPEECH = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)\b|X-TIMESTAMP-MAP")
_NUMBER_OR_TIME = re.compile(r"\s*\d+\s*\Z|.*-->|.*\d\s*->")
_NEW_PARAGRAPH_SECONDS = 30.0
_LONGEST_SECONDS = 1e7


@dataclass(frozen=True, slots=True)
class Cue:
    """What is said from second `begin` to `end`; `speaker` is "" if unknown."""

    begin: float
    end: float
    text: str
    speaker: str = ""


def from_cues(cues: Iterable[Cue], *, parser: str) -> Extracted:
    """The transcript as text: a paragraph a turn, each cue an anchor. Raises: Unreadable if nothing is said."""
    parts: list[str] = []
    anchors: list[Anchor] = []
    length = 0
    turn: tuple[str, float] | None = None
    last = 0.0
    for cue in cues:
        said = " ".join(cue.text.split())
        if not said:
            continue
        if not (math.isfinite(cue.begin) and math.isfinite(cue.end)):
            raise Unreadable("it is a transcript with times that are no numbers: get it anew.")
        is_new = turn is None or cue.speaker != turn[0] or cue.begin - turn[1] > _NEW_PARAGRAPH_SECONDS
        glue = "" if not parts else "\n\n" if is_new else " "
        if is_new:
            turn = (cue.speaker, cue.begin)
        parts += [glue, said]
        anchors.append(Anchor(length + len(glue), cue.begin, cue.end, cue.speaker))
        length += len(glue) + len(said)
        last = max(last, cue.end)
    if not anchors:
        raise Unreadable("it is a transcript in which nothing is said: fill or remove it.")
    return Extracted("".join(parts), anchors=tuple(anchors), facts={"duration_seconds": f"{last:g}"}, parser=parser)


def read_transcript(path: Path) -> Extracted:
    """The transcript in a file of one of the three forms. Raises: Unreadable."""
    text = characters(path.read_bytes())
    suffix = path.suffix.lower()
    if suffix == ".json":
        return from_cues(_transcribe_cues(text), parser="transcribe")
    if suffix == ".vtt" and not text.startswith("WEBVTT"):
        raise Unreadable("its name says WebVTT and it does not begin with WEBVTT: name it as what it is.")
    return from_cues(_cues(text), parser=suffix[1:])


def _cues(text: str) -> Iterator[Cue]:
    """The cues; what stands between them without a time that can be read belongs to the one before."""
    end = -1.0
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        place = next((number for number, line in enumerate(lines[:2]) if _TIMING.match(line)), None)
        if place is None:
            is_cue = end >= 0 or any("->" in line for line in lines[:2])  # the first ones may lack a time, too
            if is_cue and not _NO_SPEECH.match(lines[0]):
                said = " ".join(line for line in lines if not _NUMBER_OR_TIME.match(line))
                yield from _spoken(said, max(end, 0.0), max(end, 0.0))
            continue
        timing = _TIMING.match(lines[place])
        assert timing is not None
        begin, end = _seconds(timing.group(1)), _seconds(timing.group(2))
        yield from _spoken(" ".join(lines[place + 1 :]), begin, end)


def _spoken(said: str, begin: float, end: float) -> Iterator[Cue]:
    voices = _VOICE.split(said)
    if len(voices) > 1:
        for speaker, words in [("", voices[0]), *zip(voices[1::2], voices[2::2], strict=True)]:
            if plain := unescape(_TAG.sub("", words)).strip():
                yield Cue(begin, end, plain, unescape(speaker.strip()))
        return
    plain = unescape(_TAG.sub("", said)).strip()
    named = _NAMED.match(plain)
    speaker = (named.group(1) or named.group(2)).strip() if named else ""
    yield Cue(begin, end, plain[named.end() :] if named else plain, speaker)


def _seconds(timing: str) -> float:
    parts = [float(part) for part in timing.replace(",", ".").split(":")]
    return float(sum(part * 60.0**power for power, part in enumerate(reversed(parts))))


def _transcribe_cues(text: str) -> list[Cue]:
    try:
        results = json.loads(text)["results"]
        segments = results.get("audio_segments")
        if segments:
            return list(_segment_cues(segments))
        return list(_item_cues(results)) or [Cue(0.0, 0.0, _words(it["transcript"])) for it in results.get("transcripts", ())]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(
            "it is JSON, and no transcript of Amazon Transcribe (results with items): remove or convert it."
        ) from error


def _segment_cues(segments: Any) -> Iterator[Cue]:  # noqa: ANN401  (JSON)
    end = 0.0
    for it in segments:
        begin = _time(it.get("start_time"), end)
        end = max(begin, _time(it.get("end_time"), begin))
        yield Cue(begin, end, _words(it["transcript"]), _words(it.get("speaker_label") or it.get("channel_label") or ""))


def _time(value: Any, default: float) -> float:  # noqa: ANN401  (JSON)
    """The seconds; where none are given or they are none, the words are heard when those before ended."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return default
    return seconds if 0 <= seconds < _LONGEST_SECONDS else default


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where words should be")
    return value


def _speakers(results: Any) -> dict[str, str]:  # noqa: ANN401  (JSON)
    """Who is heard, or on which channel, by when a word begins."""
    labels = (results.get("speaker_labels") or {}).get("segments") or ()
    channels = (results.get("channel_labels") or {}).get("channels") or ()
    told = {str(item.get("start_time")): it["channel_label"] for it in channels for item in it.get("items", ())}
    return told | {str(item["start_time"]): item["speaker_label"] for it in labels for item in it.get("items", ())}


def _item_cues(results: Any) -> Iterator[Cue]:  # noqa: ANN401  (JSON)
    """Sentences of the items, cut where the speaker changes or a sentence ends."""
    speakers = _speakers(results)
    words, begin, end, speaker = "", 0.0, 0.0, ""
    for item in results["items"]:
        content = next((_words(it["content"]) for it in item["alternatives"]), "")
        if item["type"] == "punctuation":
            words += content
            if content in ".?!":
                yield Cue(begin, end, words, speaker)
                words = ""
            continue
        heard = _words(item.get("speaker_label") or speakers.get(str(item.get("start_time"))) or item.get("channel_label") or "")
        if words and heard != speaker:
            yield Cue(begin, end, words, speaker)
            words = ""
        if not words:
            begin, speaker = _time(item.get("start_time"), end), heard
        words, end = f"{words} {content}".strip(), _time(item.get("end_time"), max(begin, end))
    if words:
        yield Cue(begin, end, words, speaker)
