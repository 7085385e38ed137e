"""The product's lease: one commit at a time, across processes, renewed while it lasts and free soon after a crash."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from governance_server.rules.errors import Overloaded
from governance_server.storage.leases import Leases

__all__ = ["is_committed_now", "product_lease"]

_LOG = logging.getLogger(__name__)
_TTL_SECONDS, _RENEWAL_SECONDS = 3.0, 1.0


@contextmanager
def product_lease(
    leases: Leases, product: str, holder: str, *, patience_seconds: float, now: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """Within the block this holder alone commits the product. Raises: Overloaded when it stays taken for that long."""
    name = _name(product)
    deadline = now() + patience_seconds
    while not leases.acquire(name, holder, _TTL_SECONDS):
        if now() > deadline:
            raise Overloaded(f"Other publications of {product} are being committed: try again in a moment.", resource=product)
        time.sleep(0.05)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(_RENEWAL_SECONDS):
            _renew(leases, name, holder)

    keeper = threading.Thread(target=renew, name=f"lease {product}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
        leases.release(name, holder)


def is_committed_now(leases: Leases, product: str) -> bool:
    """True while somebody is at work on the product under its lease."""
    return leases.holder(_name(product)) is not None


def _name(product: str) -> str:
    return f"publish:{product}"


def _renew(leases: Leases, name: str, holder: str) -> None:
    """The lease is renewed, or the log says why not; what was lost harms nobody: the journal refuses what was overtaken."""
    try:
        is_held = leases.renew(name, holder, _TTL_SECONDS)
    except Exception:  # noqa: BLE001 # whatever the database raises; the next second tries again
        _LOG.exception("lease not renewed lease=%s", name)
        return
    if not is_held:
        _LOG.error("lease lost lease=%s: the database stood still for longer than %g seconds", name, _TTL_SECONDS)
