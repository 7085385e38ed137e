"""What the analyst must see, computed from the orders in plain Python: nothing of the mesh takes part in it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from domain_sdk.demo import samples

if TYPE_CHECKING:
    import polars as pl

    from domain_sdk.demo.narrator import Narrator

__all__ = ["check_revenue"]

REGION = "EMEA"


def check_revenue(narrator: Narrator, seen: pl.DataFrame) -> None:
    """The rows are those of one region to the cent, with customers and addresses masked. Raises: StoryBroken."""
    expected = _revenue_of_region()
    got = sorted((row["month"], row["region"], row["orders"], Decimal(row["revenue"])) for row in seen.to_dicts())
    wanted = sorted((month, REGION, orders, revenue) for (month, _), (orders, revenue) in expected.items())
    narrator.claim(
        f"{seen.height:,} rows of {REGION} and no other, equal to the cent to a computation apart from the mesh",
        got and got == wanted,
    )
    customers = {customer for _, customer in expected}
    narrator.claim("no customer number is shown in full", not customers & set(seen["customer_id"]))
    narrator.claim("not one e-mail address is shown", seen["contact"].null_count() == seen.height)


def _revenue_of_region() -> dict[tuple[date, str], tuple[int, Decimal]]:
    """(month, customer) → orders and revenue of the region's placed orders."""
    found: defaultdict[tuple[date, str], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for order in samples.pipeline("sales.orders").orders().to_dicts():
        if order["status"] == "placed" and order["region"] == REGION:
            key = (order["ordered_on"].replace(day=1), order["customer_id"])
            orders, revenue = found[key]
            found[key] = (orders + 1, revenue + Decimal(order["amount"]))
    return dict(found)
