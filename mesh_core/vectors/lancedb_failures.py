"""What LanceDB fails with (a full disk, a folder that is gone), said as every store says it.

Loaded only with the LanceDB store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mesh_core.vectors.passages import Passage
from mesh_core.vectors.store import StoreUnavailable

__all__ = ["Given", "reported"]

_PLACE = re.compile(r"[,:]?\s*(?:at\s+)?/\S+\.rs:\d+(?::\d+)?")
"""Where in its source LanceDB noticed."""
_MOST_LETTERS = 500


class Given:
    """Passages as they are given; what making them fails with is known to be none of LanceDB's errors."""

    def __init__(self, passages: Iterable[Passage] = ()) -> None:
        self._passages = passages
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[Passage]:
        """The passages, once."""
        try:
            yield from self._passages
        except BaseException as error:
            self.failure = error
            raise


@contextmanager
def reported(folder: str, collection: str, given: Given | None = None) -> Iterator[None]:
    """LanceDB's errors, which are of Python's own classes, leave the block as ours.

    Raises:
        StoreUnavailable: one sentence, with what LanceDB said and where its files lie.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        is_ours = type(error) is not RuntimeError and not isinstance(error, OSError)  # a narrower class is a defect
        if is_ours or (given is not None and given.failure is error):
            raise
        said = " ".join(_PLACE.sub("", str(error)).split()).rstrip(".")
        raise StoreUnavailable(
            f"{collection} in LanceDB at {folder} failed: {said[:_MOST_LETTERS]}: check the folder and the room on its disk."
        ) from error
