"""Publishes finance.revenue, made of sales.orders by a transform: lineage is taken from the query plan, down to columns."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from domain_sdk import Mesh, Release

CONTRACT = Path(__file__).with_name("contract.odcs.yaml")


def publish(mesh: Mesh) -> Release:
    """A release of finance.revenue. Nothing here says that `contact` holds personal data: its tag flows down the lineage."""
    finance = mesh.domain("finance")

    @finance.transform(inputs=["sales.orders.orders"], output="revenue", contract=CONTRACT, purpose="invoicing")
    def revenue(orders: pl.LazyFrame) -> pl.LazyFrame:
        """Revenue by month and customer."""
        return (
            orders.filter(pl.col("status") == "placed")
            .with_columns(month=pl.col("ordered_on").dt.truncate("1mo"), contact=pl.col("email"))
            .group_by("month", "customer_id", "contact", "region")
            .agg(orders=pl.len().cast(pl.Int64), revenue=pl.col("amount").sum().cast(pl.Decimal(14, 2)))
        )

    return revenue.run()


if __name__ == "__main__":
    with Mesh.connect() as connected:
        print(publish(connected))
