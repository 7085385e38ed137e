"""Transcripts of recordings: WebVTT, SubRip and the JSON of Amazon Transcribe and Whisper, as text whose cues are anchors.

Cues of one speaker that follow each other become a paragraph. Source: W3C WebVTT; the output schemas of Amazon Transcribe, also
of its call analytics; the one of Whisper.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

from domain_sdk.extraction.encodings import characters
from domain_sdk.extraction.extracted import Anchor, Extracted, Unreadable
from domain_sdk.extraction.scripts import between

__all__ = ["Cue", "from_cues", "read_transcript"]

_TIME = r"((?:\d{1,4}:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,9})?)"
_TIMING = re.compile(rf"\s*{_TIME}\s*-{{1,2}}>\s*{_TIME}(?=\s|\Z)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?(?:[A-Za-z\d][^<>]*)?>|\{\\[^{}]*\}")
"""Tags of WebVTT and SubRip, and what players of SubRip take from SSA: `{\\an8}`."""
_NAMED = re.compile(r"(?:>>\s*)?(?:\[([^\]\n]{1,40})\]:?|([^\W\d_][\w.'’ -]{0,38}):)\s+(?=\S)")
_NO_SPEECH = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)\b|X-TIMESTAMP-MAP")
_NUMBER_OR_TIME = re.compile(r"\s*\d+\s*\Z|.*-->|.*\d\s*->")
_ENDS = (".", "?", "!", "。", "？", "！", "؟", "।")
_NEW_PARAGRAPH_SECONDS = 30.0
_LONGEST_SECONDS = 1e7
_WORD_TIME = re.compile(r"<\d[\d:.]*>")
"""When a word is said: programs that write it show the lines before once more below or above it."""
_ROLLING_SECONDS = 0.5
"""What is shown after a longer pause is said anew."""
_Line = tuple[str, str]
"""Whose voice it is said with, "" if that is not said, and the words."""
_NO_TRANSCRIPT = "it is JSON, and no transcript of Amazon Transcribe (results with items) or Whisper: remove or convert it."
_CUE_SECONDS, _PAUSE_SECONDS = 15.0, 1.0
"""Where there is no end of a sentence, a cue of Transcribe ends after so long, or when so long nothing is said."""


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
        glue = "" if not parts else "\n\n" if is_new else between(parts[-1], said)
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
        cues, language = _json_cues(text)
        found = from_cues(cues, parser="transcribe")
        return replace(found, facts={**found.facts, "language": language}) if isinstance(language, str) else found
    if suffix == ".vtt" and not text.startswith("WEBVTT"):
        raise Unreadable("its name says WebVTT and it does not begin with WEBVTT: name it as what it is.")
    return from_cues(_cues(text), parser=suffix[1:])


def _cues(text: str) -> Iterator[Cue]:
    """The cues; what stands between them without a time that can be read belongs to the one before."""
    end = last = -1.0
    rolling: list[_Line] | None = [] if _WORD_TIME.search(text) else None
    written = text.replace("\r\n", "\n").replace("\r", "\n")
    for block in re.split(r"\n[ \t]*\n" if rolling is None else r"\n\n", written):
        lines = block.strip("\n").split("\n")
        places = [number for number, line in enumerate(lines) if _TIMING.match(line)]
        before = lines[: places[0]] if places else lines
        is_cue = end >= 0 or any("->" in line for line in before[:2])  # the first ones may lack a time, too
        if len(before) > bool(places) and is_cue and not _NO_SPEECH.match(lines[0]):
            said = " ".join(line for line in before if not _NUMBER_OR_TIME.match(line))
            yield from _spoken(said, max(end, 0.0), max(end, 0.0))
        for place, next_place in pairwise((*places, len(lines))):
            timing = _TIMING.match(lines[place])
            assert timing is not None
            begin, end = _seconds(timing.group(1)), _seconds(timing.group(2))
            is_numbered = next_place < len(lines) and next_place - place > 2 and lines[next_place - 1].strip().isdecimal()
            shown = lines[place + 1 : next_place - is_numbered]
            if rolling is not None and begin > last + _ROLLING_SECONDS:
                rolling.clear()
            new = shown if rolling is None else _new_lines(shown, rolling)
            last = max(last, end)
            yield from _spoken(" ".join(new), begin, end)


def _new_lines(shown: Sequence[str], before: list[_Line]) -> list[str]:
    """The lines without those that are still shown of the cue `before`, which then holds this one's."""
    lines = [line for line in shown if _TAG.sub("", line).strip()]
    plain = [("".join(_VOICE.findall(line)), " ".join(_TAG.sub("", line).split())) for line in lines]
    counts = range(min(len(plain), len(before)), 0, -1)
    kept = next((count for count in counts if all(map(_is_again, plain[:count], before[-count:]))), 0)
    before[:] = plain or before
    return lines[kept:]


def _is_again(line: _Line, before: _Line) -> bool:
    return line[1] == before[1] and (line[0] == before[0] or "" in (line[0], before[0]))


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


def _json_cues(text: str) -> tuple[list[Cue], object]:
    """The cues of a transcript in JSON, and which language it says they are in. Raises: Unreadable."""
    try:
        said = json.loads(text)
        if (turns := said.get("Transcript")) is not None:  # of call analytics
            return list(_turn_cues(turns)), said.get("LanguageCode")
        if (segments := said.get("segments")) is not None:
            return list(_segment_cues(segments)), said.get("language")
        return _transcribe_cues(said["results"]), said["results"].get("language_code")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(_NO_TRANSCRIPT) from error


def _transcribe_cues(results: Any) -> list[Cue]:  # noqa: ANN401  (JSON)
    if segments := results.get("audio_segments"):
        return list(_segment_cues(segments))
    channels = (results.get("channel_labels") or {}).get("channels") or ()
    if heard := [cue for it in channels for cue in _item_cues(it.get("items") or (), {}, _words(it["channel_label"]))]:
        return sorted(heard, key=lambda cue: cue.begin)
    cues = list(_item_cues(results["items"], _speakers(results)))
    return cues or [Cue(0.0, 0.0, _words(it["transcript"])) for it in results.get("transcripts", ())]


def _turn_cues(turns: Any) -> Iterator[Cue]:  # noqa: ANN401  (JSON)
    end = 0.0
    for it in turns:
        begin = _time(it.get("BeginOffsetMillis"), end, in_second=1000)
        end = max(begin, _time(it.get("EndOffsetMillis"), begin, in_second=1000))
        yield Cue(begin, end, _words(it["Content"]), _words(it.get("ParticipantRole") or it.get("ParticipantId") or ""))


def _segment_cues(segments: Any) -> Iterator[Cue]:  # noqa: ANN401  (JSON)
    end = 0.0
    for it in segments:
        begin = _time(it.get("start_time", it.get("start")), end)
        end = max(begin, _time(it.get("end_time", it.get("end")), begin))
        speaker = it.get("speaker_label") or it.get("channel_label") or it.get("speaker") or ""
        yield Cue(begin, end, _words(it["transcript"] if "transcript" in it else it["text"]), _words(speaker))


def _time(value: Any, default: float, *, in_second: int = 1) -> float:  # noqa: ANN401  (JSON)
    """The seconds; where none are given or they are none, the words are heard when those before ended."""
    try:
        seconds = float(value) / in_second
    except (TypeError, ValueError):
        return default
    return seconds if 0 <= seconds < _LONGEST_SECONDS else default


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where words should be")
    return value


def _speakers(results: Any) -> dict[str, str]:  # noqa: ANN401  (JSON)
    """Who is heard, by when a word begins."""
    labels = (results.get("speaker_labels") or {}).get("segments") or ()
    return {str(item["start_time"]): item["speaker_label"] for it in labels for item in it.get("items", ())}


def _item_cues(items: Any, speakers: Mapping[str, str], channel: str = "") -> Iterator[Cue]:  # noqa: ANN401  (JSON)
    """Sentences of the items, cut where the speaker changes, a sentence ends, or none does for long."""
    words, begin, end, speaker = "", 0.0, 0.0, ""
    for item in items:
        content = next((_words(it["content"]) for it in item["alternatives"]), "")
        if item["type"] == "punctuation":
            words += content
            if content in _ENDS:
                yield Cue(begin, end, words, speaker)
                words = ""
            continue
        starts = _time(item.get("start_time"), end)
        told = item.get("speaker_label") or speakers.get(str(item.get("start_time"))) or item.get("channel_label") or channel
        is_over = starts - begin > _CUE_SECONDS or starts - end > _PAUSE_SECONDS
        if words and (_words(told) != speaker or is_over):
            yield Cue(begin, end, words, speaker)
            words = ""
        if not words:
            begin, speaker = starts, _words(told)
        glue = between(words, content) if words else ""
        words, end = f"{words}{glue}{content}", _time(item.get("end_time"), max(begin, end))
    if words:
        yield Cue(begin, end, words, speaker)
