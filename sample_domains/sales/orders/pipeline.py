"""Publishes sales.orders: one row per order, made up but always the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from domain_sdk import Mesh, Release

CONTRACT = Path(__file__).with_name("contract.odcs.yaml")
ORDERS = 5_000
CUSTOMERS = 400


def orders() -> pl.DataFrame:
    """`ORDERS` orders over 2026, with the columns of the contract."""
    number = pl.int_range(ORDERS, eager=True)
    customer = number * 7919 % CUSTOMERS
    region = pl.Series(["EMEA", "AMER", "APAC"]).gather(customer % 3)
    cents = number * 104_729 % 90_000 + 990
    return pl.DataFrame(
        {
            "order_id": "O-" + number.cast(pl.String).str.zfill(6),
            "customer_id": "C-" + customer.cast(pl.String).str.zfill(4),
            "email": "customer" + customer.cast(pl.String) + "@example.com",
            "region": region,
            "amount": (cents.cast(pl.Decimal(12, 0)) / 100).cast(pl.Decimal(12, 2)),
            "ordered_on": pl.select(pl.lit(date(2026, 1, 1)) + pl.duration(days=pl.lit(number % 300))).to_series().cast(pl.Date),
            "delivered_on": delivered(number),
            "status": pl.select(pl.when(number % 23 == 0).then(pl.lit("refunded")).otherwise(pl.lit("placed"))).to_series(),
        }
    )


def delivered(number: pl.Series) -> pl.Series:
    """Three days after the order; of every 50th nobody has a proof."""
    day = pl.select(pl.lit(date(2026, 1, 4)) + pl.duration(days=pl.lit(number % 300))).to_series().cast(pl.Date)
    return pl.select(pl.when(number % 50 == 49).then(None).otherwise(day)).to_series()


def publish(mesh: Mesh) -> Release:
    """A release of sales.orders."""
    return mesh.domain("sales").product("orders", contract=CONTRACT).publish(orders=orders(), progress=False)


if __name__ == "__main__":
    with Mesh.connect() as connected:
        print(publish(connected))
