"""Whether a collection seems to hold an answer at all: judged by how far the nearest passage stands out from the others near it.

Pure. The similarities are of passages that the asker may read, and the cosine of two vectors depends on nothing else: nothing
here tells of what is hidden. It is a signal, not a verdict: near misses (a page about the same thing without what is asked)
stand out as answers do, so that what is read out must be checked against its source all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["is_answerable", "margin"]

_TENTH = 10
_LEAST_MARGIN = 0.067
"""Where nine of ten questions of TAT-QA pass (all-MiniLM-L6-v2). With their contexts taken away, a fifth are declined."""


def margin(similarities: Sequence[float]) -> float:
    """How much nearer the nearest passage is than the tenth nearest (the farthest, if there are fewer): 0 to 2.

    Args:
        similarities: Cosines between the question's vector and those of the nearest passages, in any order; at least one.
    """
    nearest = sorted(similarities, reverse=True)[:_TENTH]
    return nearest[0] - nearest[-1]


def is_answerable(similarities: Sequence[float]) -> bool:
    """True if the passages may answer; False if none is nearer to the question than any other text of the collection.

    The similarity itself says little: it moves with the length of questions and the kind of text, where its lead over the tenth
    does not. With fewer than ten passages there is nothing to compare with, and the answer is True if there is one at all.
    """
    if len(similarities) < _TENTH:
        return bool(similarities)
    return margin(similarities) >= _LEAST_MARGIN
