"""TPC-H lineitem: generated once per scale into the user's cache, and published as one governed product."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.mesh_process import MeshProcess

__all__ = ["CONTRACT", "PORT", "PRODUCT", "generated", "prepare_domain", "publish"]

CONTRACT = Path(__file__).with_name("lineitem.odcs.yaml")
PRODUCT = "tpch.lineitem"
PORT = "tpch.lineitem.lineitem"
_PUBLISHER = "service:tpch-etl"


def generated(scale: float) -> Path:
    """The table as one Parquet file; 6,001,215 rows at scale 1."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "domain-mesh" / "bench"
    file = cache / f"sf{scale:g}" / "lineitem.parquet"
    if not file.exists():
        partial = file.parent / "partial"
        partial.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [
            Path(sys.executable).with_name("tpchgen-cli"),
            "parquet",
            "-s",
            f"{scale:g}",
            "--tables=lineitem",
        ]
        subprocess.run([*command, "--output-dir", partial, "--no-progress", "--overwrite"], check=True)
        (partial / "lineitem.parquet").rename(file)
    return file


def prepare_domain(server: MeshProcess) -> str:
    """The domain exists; returned is a token of the service that may publish in it."""
    token = server.token(_PUBLISHER)
    with server.administrator() as mesh:
        mesh.admin.create_domain("tpch", title="TPC-H", owners=["user:tom"], members=[_PUBLISHER])
    return token


def publish(server: MeshProcess, scale: float) -> None:
    """The table is published once in a domain of its own, by the public SDK."""
    import polars as pl

    from domain_sdk import Mesh

    with Mesh.connect(server.url, prepare_domain(server)) as mesh:
        product = mesh.domain("tpch").product("lineitem", contract=CONTRACT)
        product.publish(lineitem=pl.scan_parquet(generated(scale)), progress=False)
