"""Whether a text tells of somebody: a name, an address, or a word for people by what they do. Words of form only, English."""

from __future__ import annotations

from mesh_core.answers.money_words import CURRENCY_CODE
from mesh_core.answers.number_words import SPELT

__all__ = ["SOMEBODY"]

_THINGS = (
    "after|agree|another|answer|barrier|better|boiler|border|buffer|chapter|charter|checklist|coffee|color|computer|"
    "consider|consist|container|content|copper|corner|corridor|counter|cover|current|decree|degree|deliver|different|dinner|"
    "disagree|document|door|drawer|earlier|efficient|either|elevator|enter|equivalent|error|ever|event|excellent|exist|"
    "extent|exterior|factor|fee|fewer|filter|finger|floor|folder|former|free|frequent|further|generator|greater|guarantee|"
    "higher|however|important|independent|indicator|instant|interior|larger|later|latter|layer|ledger|letter|list|longer|"
    "lower|major|matter|median|meter|minor|mirror|monitor|motor|neither|never|newer|newsletter|number|offer|older|order|"
    "other|over|oversee|paper|percent|permanent|plant|poor|poster|power|present|printer|prior|proper|quarter|rather|recent|"
    "refer|register|relevant|remember|rent|river|roller|rubber|see|sensor|sent|server|shelter|shorter|shower|significant|"
    "silver|smaller|spent|subsequent|sufficient|summer|talent|their|together|tractor|transfer|transparent|tree|trigger|"
    "under|urgent|vector|voucher|want|water|weather|went|whatever|whenever|whether|winter|younger"
)
"""What ends like a word for somebody and is none."""
_NO_ROLE = "|".join((_THINGS, *SPELT))
_ROLE = (
    r"\b(?:you|anyone|everyone|people|staff|team|head|nurse|"
    rf"(?!(?:{_NO_ROLE})s?\b)[a-z]{{2,}}(?:(?:er|or|ee|ist|ian|(?<!m)ant|(?<!m|c)ent)s?))\b"
)
_INITIALS = r"\b(?:[A-Z]\. ?)+[A-Z][^\W\d_]+"
SOMEBODY = rf"(?<=[a-z,;:(] )[A-Z][a-z]+|{_INITIALS}|(?!{CURRENCY_CODE})\b[A-Z]{{2,}}\b|@|{_ROLE}"
"""A pattern of it, for patterns that do not ignore case."""
