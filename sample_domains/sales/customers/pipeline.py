"""Publishes sales.customers: one row per customer, made up but always the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from domain_sdk import Mesh, Release

CONTRACT = Path(__file__).with_name("contract.odcs.yaml")
CUSTOMERS = 400
FIRST = ["Ada", "Ben", "Chen", "Dora", "Emre", "Fay", "Gil", "Hana"]
LAST = ["Adler", "Brown", "Costa", "Diallo", "Engel", "Farah", "Garcia", "Hoang", "Ito", "Jensen"]


def customers() -> pl.DataFrame:
    """`CUSTOMERS` customers, with the columns of the contract."""
    number = pl.int_range(CUSTOMERS, eager=True)
    first = pl.Series(FIRST).gather(number % len(FIRST))
    last = pl.Series(LAST).gather(number // len(FIRST) % len(LAST))
    return pl.DataFrame(
        {
            "customer_id": "C-" + number.cast(pl.String).str.zfill(4),
            "name": first + " " + last,
            "email": "customer" + number.cast(pl.String) + "@example.com",
            "birth_date": pl.select(pl.lit(date(1950, 1, 1)) + pl.duration(days=pl.lit(number * 37))).to_series().cast(pl.Date),
            "region": pl.Series(["EMEA", "AMER", "APAC"]).gather(number % 3),
        }
    )


def publish(mesh: Mesh) -> Release:
    """A release of sales.customers."""
    return mesh.domain("sales").product("customers", contract=CONTRACT).publish(customers=customers(), progress=False)


if __name__ == "__main__":
    with Mesh.connect() as connected:
        print(publish(connected))
