"""What Weaviate fails with, said as every store says it. Loaded only with the Weaviate store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from weaviate.exceptions import WeaviateBaseError, WeaviateConnectionError

from mesh_core.vectors.store import StoreUnavailable
from mesh_core.vectors.weaviate_collections import missing
from mesh_core.vectors.weaviate_connection import BROKEN_OFF, has_no_answer, in_words

__all__ = ["reported"]


@contextmanager
def reported(address: str, collection: str | None = None, *, exists: Callable[[str], bool]) -> Iterator[None]:
    """Weaviate's errors leave the block as ours.

    Raises:
        CollectionMissing: the collection, which is told, does not exist.
        StoreUnavailable: one sentence, with what Weaviate said and where it is.
    """
    try:
        yield
    except BROKEN_OFF as error:
        raise StoreUnavailable(f"{in_words(WeaviateConnectionError(str(error)), address)}.") from error
    except WeaviateBaseError as error:
        if collection is not None and not has_no_answer(error) and _is_missing(collection, exists):
            raise missing(collection) from error
        what = f"{collection} in " if collection else ""
        raise StoreUnavailable(f"{what}{in_words(error, address)}.") from error


def _is_missing(collection: str, exists: Callable[[str], bool]) -> bool:
    try:
        return not exists(collection)
    except (WeaviateBaseError, BROKEN_OFF):
        return False
