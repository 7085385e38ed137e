"""Names of people where a title or a label says that it is one: `Dr. Ada Lovelace`, `Dear Ms. Byron`, `Signed by: …`, `/s/ …`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mesh_core.pii.findings import Finding
from mesh_core.pii.readable import readable

__all__ = ["find_labelled_people"]

_NAME = r"[^\W\d_a-z][\w'’-]+(?:[ \t](?:[^\W\d_a-z]\.|(?:de|da|van|von|der|den|la|le|bin|al)\b|[^\W\d_a-z][\w'’-]+)){0,3}"
_TITLED = re.compile(
    rf"\b(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Professor|Sir|Dame|Herr|Frau|Monsieur|Madame|Mme|Señora?|Sra?|Dott)\b\.?[ \t]+({_NAME})"
)
_LABELLED = re.compile(
    r"(?:\b(?:Author|(?:Full )?[Nn]ame|Contact person|Attn|Attention|Employee|Patient|Customer|Passenger|Cardholder"
    r"|Account holder|Beneficiary)[ \t]*:[ \t]+|\b(?:my name is|signed by|authored by)[ \t]+|/s/[ \t]*"
    r"|\b(?:Dear|Hi,?|Hello,?)[ \t]+)"
    rf"({_NAME})(?![\w'’-]|[ \t]&)"
)
_NO_NAME = re.compile(
    r"(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Sir|Madam|All|Team|Colleagues?|Customers?|Shareholders?|There|Everyone|The|Of|Company|Inc|LLC|Number|Date|And)\b"
)


def find_labelled_people(text: str) -> Iterator[Finding]:
    """The names, as a reader sees them; the title or label is not part of one."""
    shown = readable(text)
    for pattern in (_TITLED, _LABELLED):
        for match in pattern.finditer(shown.text):
            if not _NO_NAME.match(match.group(1)):
                yield shown.original(Finding("pii.name", match.start(1), match.end(1), is_checked=False))
