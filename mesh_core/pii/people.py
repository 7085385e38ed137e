"""Names of people where a title, a label or a place says that it is one: `Dr. Ada Lovelace`, `Dear Ms. Byron`, a speaker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mesh_core.pii.findings import Finding
from mesh_core.pii.readable import ReadableText, readable

__all__ = ["find_labelled_people", "people_among"]

_NAME = r"[^\W\d_a-z][\w'’-]+(?:[ \t](?:[^\W\d_a-z]\.|(?:de|da|van|von|der|den|la|le|bin|al)\b|[^\W\d_a-z][\w'’-]+)){0,3}"
_TITLED = re.compile(
    r"\b(?=[MDPSHF])"
    rf"(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Professor|Sir|Dame|Herr|Frau|Monsieur|Madame|Mme|Señora?|Sra?|Dott)\b\.?[ \t]+({_NAME})"
)
_LABELLED = re.compile(
    r"(?=[AaBCDEFHMmNnPSsWw/])"
    r"(?:\b(?:Author|(?:Full )?[Nn]ame|Contact person|Attn|Attention|Employee|Patient|Customer|Passenger|Cardholder"
    r"|Account holder|Beneficiary)[ \t]*:[ \t]+|\b(?:[Mm]y name is|(?:[Ss]igned|[Aa]uthored|[Ww]ritten) by:?)[ \t]+|/s/[ \t]*"
    r"|\b(?:Dear|Hi,?|Hello,?)[ \t]+)"
    rf"({_NAME})(?![\w'’-]|[ \t]&)"
)
_NO_NAME = re.compile(
    r"(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Sir|Madam|All|Team|Colleagues?|Customers?|Shareholders?|There|Everyone|The|Of|Company|Inc|LLC|Number|Date|And)\b"
)
_NO_PERSON = re.compile(
    r"\b(?:agent|all|assistant|audience|billing|bot|call|caller|channel|client|customer|department|desk|everyone|guest|help|host|info"
    r"|interviewe[re]|list|mail|mailer|moderator|narrator|news|newsletter|no|noreply|notifications?|office|operator|order|reply|sales"
    r"|service|services|speaker|spk|staff|support|system|team|unknown|user|voice|inc|llc|ltd|gmbh|corp|plc|company|bank|group)\b|\d|@",
    re.IGNORECASE,
)
_MOST_NAME_WORDS = 5


def people_among(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names of speakers or correspondents that are a person's, each once: no role, number, firm or address."""
    told = dict.fromkeys(" ".join(readable(name).text.split()) for name in names)
    return tuple(
        name for name in told if any(map(str.isalpha, name)) and len(name.split()) <= _MOST_NAME_WORDS and not _is_role(name)
    )


def _is_role(name: str) -> bool:
    return len(name) < 2 or _NO_PERSON.search(name.replace("_", " ")) is not None


def find_labelled_people(text: str | ReadableText) -> Iterator[Finding]:
    """The names, as a reader sees them, by their places in the text that was made readable; no title or label is part of one."""
    shown = readable(text)
    for pattern in (_TITLED, _LABELLED):
        for match in pattern.finditer(shown.text):
            if not _NO_NAME.match(match.group(1)):
                yield shown.original(Finding("pii.name", match.start(1), match.end(1), is_checked=False))
