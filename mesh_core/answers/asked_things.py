"""What a question is about by its form: the thing that it asks for, and the form of a sentence that would answer.

`What is the fine for parking?` asks for a fine: where nothing is called so, parking alone is no answer. Words of amounts
(`limit`, `price`, `share`) name no thing: a sentence answers them by its number. Words of form only, English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mesh_core.answers.wording import STOP_WORDS, stem, wording_of

__all__ = ["answers_form", "are_things_absent", "case_stems", "is_year_absent", "strange_stems"]

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*|[.,;:?!()]")
_IS = re.compile(r"\A\W*(?:what|who)(?:['’]s|\s+(?:is|are|was|were))\s+", re.IGNORECASE)
_WHICH = re.compile(r"\A\W*(?:(?:at|in|on|for|by|to|from|with|under|above|below|of|within)\s+)?(?:which|what)\s+", re.IGNORECASE)
_BEHIND = re.compile(
    r"(?:\A\W*(?:\w+\s+)?(?:which|what)|"
    r"\b(?:for|by|of|from|to|at|in|on|with|about|after|before|during|without))\s+",
    re.IGNORECASE,
)
_INFINITIVE = re.compile(
    r"\b(?:have|has|had|need|needs|want|wants|like|able|allowed|permitted|going|ought|used|supposed|required|obliged|forced|possible|"
    r"necessary|try|order|how|what|where|when|who|whom)\s+to\s+",
    re.IGNORECASE,
)
"""Where `to` has a verb behind it, which says what happens."""
_AUXILIARY = re.compile(
    r"\b(?:do|does|did|may|can|could|must|should|shall|will|would|is|are|was|were|has|have|had)\s+", re.IGNORECASE
)
_EXISTS = re.compile(
    r"\A\W*(?:(?:is|are) there|do (?:i|we|you) (?:get|have)(?! to\b)|"
    r"(?:can|may|could) (?:i|we|you) (?:get|have|claim|receive))\s+"
    r"(?=(?:an?|any|free|paid)\b)",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\w+")
_STOPS = frozenset(
    _LISTED.findall(
        """of for in at on to by from with per into about after before during under over within without than as if when where who
        that which is are was were am be been do does did must may might can could should shall will would has have had i we you
        he she they it my our your his her their its the a an this these those and or"""
    )
)
_LEADING = frozenset({"the", "a", "an", "any", "our", "my", "your", "their", "its", "his", "her", "this", "these", "those"})
_AMOUNTS = frozenset(
    stem(word)
    for word in _LISTED.findall(
        """age amount cap cost date day deadline fee hour length level limit maximum minimum month most number percentage period
        price rate rule share size sum threshold time total value week year way kind sort type thing process procedure policy best
        right difference reason purpose answer case event tool app application
        software system platform website site steps next first last name paperwork document information details"""
    )
)
"""Words that no answer needs to have."""
_LIGHT = frozenset(
    stem(word)
    for word in _LISTED.findall(
        """give look need long keep run save spend cover end often die know use start stop bring leave become happen last take
        find show see tell ask say pay work put hold move want try call come back soon new old still ever else someone
        something anyone anything everyone two three one once way thing person people company agency employee staff job really
        actually different another same next own big large small high low good well allowed possible get buy send receive
        return turn fill hand sign change set help let what during whether hear wait happen join mean quickly early late advance
        normally usually exactly offer provide count exist involve rather instead elsewhere longer
        stay remain through across along together back down away"""
    )
)
"""Words that any answer may say otherwise."""
_FORMS = """pay paid, send sent, lose lost, win won, hold held, keep kept, give gave given, take took taken, begin began begun,
    buy bought, bring brought, choose chose chosen, come came, drive drove driven, fly flew flown, get got gotten, leave left,
    lend lent, make made, meet met, sell sold, speak spoke spoken, spend spent, steal stole stolen, teach taught, tell told,
    think thought, write wrote written, break broke broken, child children, person people"""
_IRREGULAR = {stem(form): stem(every.split()[0]) for every in _FORMS.split(",") for form in every.split()[1:]}
"""Forms of words by the one form that they are compared in."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_COMMON = 5
"""Words that begin with so many of the same letters are taken for one: `insurer`, `insurance`."""
_YES_NO = re.compile(
    r"(?:\A|[.!?]\s+|,\s*)(?:may|can|could|must|should|shall|am i|are we|is it|do (?:i|we|you)|does|will|would|is|are)\b",
    re.IGNORECASE,
)
_RULING = re.compile(
    r"\b(?:must|may|can|cannot|should|shall|not|never|only|always|no|allowed|permitted|prohibited|forbidden|required|eligible|entitled|"
    r"need|needs|yes)\b|n['’]t\b",
    re.IGNORECASE,
)
_RECOMMENDED = re.compile(r"[a-z,;:(] ?\b(?:[A-Z][\w-]*[A-Z\d][\w-]*|[A-Z][a-z]{2,})")


def are_things_absent(question: str, known: frozenset[str]) -> bool:
    """True if the question asks for a thing by name, and none of these stems is like it.

    Args:
        question: One part of what is asked.
        known: Stems of the words of the passage and of what stands above it.
    """
    return any(not any(_is_like(word, other) for word in thing for other in known) for thing in _things(question))


def is_year_absent(question: str, known: frozenset[str]) -> bool:
    """True if the question names a year that is not among the words and numbers of the passage."""
    return not {it for it in wording_of(question).numbers if _YEAR.fullmatch(it)} <= known


def case_stems(question: str) -> frozenset[str]:
    """The stems of the words that say which case is asked about, and not what happens in it.

    That is whom or what the question is of (`do contractors get`), what stands behind a preposition (`leave for a wedding`), and
    the thing that is asked for (`which clinic`). Passages about the same thing answer these questions of another case.
    """
    verbs = {it.end() for it in _INFINITIVE.finditer(question)}
    behind = [it.end() for it in _BEHIND.finditer(question) if it.end() not in verbs]
    named = [_phrase(_WORD.findall(question[end:]), 0)[1] for end in behind]
    if match := _AUXILIARY.search(question):
        _, words = _phrase(_WORD.findall(question[match.end() :]), 0)
        named.append(words[:-1] if len(words) > 1 else words)  # the last one is the verb
    return frozenset(part for words in named for part in _stems(words))


def strange_stems(question: str, known: frozenset[str]) -> frozenset[str]:
    """The stems of the question's words that carry weight and are like none of these stems.

    Args:
        question: One part of what is asked, or what is told before it.
        known: Stems of the words of the passage and of what stands above it.
    """
    asked = {word for word in wording_of(question).words if len(word) > 2 and "'" not in word}
    weighty = {word for word in asked if _IRREGULAR.get(word, word) not in _LIGHT | _AMOUNTS}
    return frozenset(word for word in weighty if not any(_is_like(word, other) for other in known))


def _things(question: str) -> Iterator[tuple[str, ...]]:
    """What is asked for, each as stems of which one must be there."""
    for opening, is_last in ((_IS, True), (_WHICH, False), (_EXISTS, True)):
        if match := opening.match(question):
            words = _WORD.findall(question[match.end() :])
            place, named = _phrase(words, 0)
            if named and stem(named[-1]) not in _AMOUNTS:
                yield _stems(named[-1:] if is_last else named)
            if is_last and place < len(words) and words[place].lower() == "of":
                _, whose = _phrase(words, place + 1)
                yield _stems(whose[-1:])
            return


def _phrase(words: list[str], place: int) -> tuple[int, list[str]]:
    """The words of a noun with those before it, without articles; and where the next words begin."""
    while place < len(words) and words[place].lower() in _LEADING:
        place += 1
    first = place
    while place < len(words) and words[place].lower() not in _STOPS and words[place][0].isalpha():
        place += 1
    return place, words[first:place]


def _stems(words: list[str]) -> tuple[str, ...]:
    parts = (part for word in words for part in re.split(r"[-'’]", word) if len(part) > 1)
    return tuple(stem(part) for part in parts if part.lower() not in STOP_WORDS and stem(part) not in _AMOUNTS)


def _is_like(one: str, other: str) -> bool:
    one, other = _IRREGULAR.get(one, one), _IRREGULAR.get(other, other)
    return one == other or (len(one) >= _COMMON and one[:_COMMON] == other[:_COMMON])


def answers_form(question: str, sentence: str) -> bool:
    """True if the sentence has the form of an answer: it says what the thing is, rules on yes or no, or names which one."""
    if match := _IS.match(question):
        thing = re.escape(question[match.end() :].strip(" ?.").removeprefix("the ").removeprefix("a ").removeprefix("an "))
        return re.match(rf"(?:an? |the )?{thing}(?: \([^)]*\))? (?:is|are|means|refers)\b", sentence, re.IGNORECASE) is not None
    if _WHICH.match(question):
        return _RECOMMENDED.search(sentence) is not None
    return _YES_NO.search(question) is not None and _RULING.search(sentence) is not None
