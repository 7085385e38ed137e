"""Publishes finance.ledger: accounts and entries as one release, made up but balanced."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from domain_sdk import Mesh, Release

CONTRACT = Path(__file__).with_name("contract.odcs.yaml")
BOOKINGS = 1_000


def accounts() -> pl.DataFrame:
    """The chart of accounts."""
    return pl.DataFrame({"account": ["1200", "4400"], "title": ["Receivables", "Revenue"]})


def entries() -> pl.DataFrame:
    """Two entries per order booked, which add up to zero."""
    number = pl.int_range(BOOKINGS, eager=True)
    amount = ((number * 104_729 % 90_000 + 990).cast(pl.Decimal(14, 0)) / 100).cast(pl.Decimal(14, 2))
    day = pl.select(pl.lit(date(2026, 1, 1)) + pl.duration(days=pl.lit(number % 300))).to_series().cast(pl.Date)
    order = "O-" + number.cast(pl.String).str.zfill(6)
    booked = {"order_id": order, "booked_on": day}
    debit = pl.DataFrame({"entry_id": number * 2, "account": "1200", **booked, "amount": amount})
    credit = pl.DataFrame({"entry_id": number * 2 + 1, "account": "4400", **booked, "amount": -amount})
    return pl.concat([debit, credit]).sort("entry_id")


def publish(mesh: Mesh) -> Release:
    """A release of finance.ledger with both ports."""
    ledger = mesh.domain("finance").product("ledger", contract=CONTRACT)
    return ledger.publish(accounts=accounts(), entries=entries(), progress=False)


if __name__ == "__main__":
    with Mesh.connect() as connected:
        print(publish(connected))
