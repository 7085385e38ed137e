"""A lease that cannot be renewed is told of, and is tried again."""

from __future__ import annotations

import logging

import pytest

from governance_server.publishing import lease
from governance_server.storage.errors import StorageUnavailable


class Broken:
    """Leases of a database that fails once and then has given the lease to another."""

    def __init__(self) -> None:
        self.renewals = 0

    def acquire(self, name: str, holder: str, ttl_seconds: float) -> bool:
        return True

    def renew(self, name: str, holder: str, ttl_seconds: float) -> bool:
        self.renewals += 1
        if self.renewals == 1:
            raise StorageUnavailable("the disk is gone")
        return False

    def release(self, name: str, holder: str) -> bool:
        return True


def test_what_keeps_a_lease_from_being_renewed_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lease, "_RENEWAL_SECONDS", 0.01)
    leases = Broken()
    with (
        caplog.at_level(logging.ERROR),
        lease.product_lease(leases, "shop.stock", "me", patience_seconds=1),  # type: ignore[arg-type] # behaves like one
    ):
        while leases.renewals < 3:
            pass
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "lease not renewed lease=publish:shop.stock"
    assert told[1].startswith("lease lost lease=publish:shop.stock")
