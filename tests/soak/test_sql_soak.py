"""Random SQL over planted hidden values for a long time. `MESH_SOAK_SECONDS` bounds it (default 60)."""

from __future__ import annotations

import os
import random
import time
from typing import Any

import pytest

from tests.integration.sql_fuzz import random_queries, tells_nothing
from tests.integration.test_secrets import PORT, worlds  # noqa: F401 (a fixture)

SECONDS = float(os.environ.get("MESH_SOAK_SECONDS", "60"))

pytestmark = [pytest.mark.soak, pytest.mark.timeout(int(SECONDS) + 300)]


def test_no_random_query_tells_of_what_is_hidden(worlds: Any) -> None:  # noqa: F811
    seed = int(os.environ.get("MESH_SOAK_SEED", time.time_ns() % 1_000_000))
    draw, deadline, asked = random.Random(seed), time.monotonic() + SECONDS, 0
    while time.monotonic() < deadline:
        for query in random_queries(draw, PORT, 100):
            tells_nothing(worlds, query)
        asked += 100
    print(f"{asked} queries, seed {seed}")
