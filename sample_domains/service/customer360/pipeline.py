"""Publishes service.customer360, made of sales and finance by a transform: what each knows of a customer in one row."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from domain_sdk import Mesh, Release

CONTRACT = Path(__file__).with_name("contract.odcs.yaml")
GOLD = 6_000
"""Euro of net revenue."""


def publish(mesh: Mesh) -> Release:
    """A release of service.customer360. Only what resolving a request needs is in it: no name, no address."""
    service = mesh.domain("service")
    inputs = ["sales.customers.customers", "sales.orders.orders", "finance.revenue.revenue"]

    @service.transform(inputs=inputs, output="customer360", contract=CONTRACT)
    def customer360(customers: pl.LazyFrame, orders: pl.LazyFrame, revenue: pl.LazyFrame) -> pl.LazyFrame:
        """Customers with their orders and revenue."""
        ordered = orders.group_by("customer_id").agg(
            orders=pl.len().cast(pl.Int64),
            refunds=(pl.col("status") == "refunded").sum().cast(pl.Int64),
            last_order_on=pl.col("ordered_on").max(),
        )
        worth = revenue.group_by("customer_id").agg(revenue=pl.col("revenue").sum().cast(pl.Decimal(14, 2)))
        known = customers.select("customer_id", "region").join(ordered, on="customer_id", how="left")
        return (
            known.join(worth, on="customer_id", how="left")
            .with_columns(pl.col("orders", "refunds", "revenue").fill_null(0))
            .with_columns(tier=pl.when(pl.col("revenue") >= GOLD).then(pl.lit("gold")).otherwise(pl.lit("standard")))
        )

    return customer360.run()


if __name__ == "__main__":
    with Mesh.connect() as connected:
        print(publish(connected))
