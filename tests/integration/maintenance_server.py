"""A process that does periodic work on a database: each run of its task is a line in a file. For tests that kill it."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime

from governance_server.maintenance import Maintenance, Task
from governance_server.storage.engine import open_database
from governance_server.storage.leases import Leases


def main(url: str, file: str) -> None:
    def work() -> None:
        for word in ("begin", "end"):
            with open(file, "a") as lines:
                lines.write(f"{os.getpid()} {word}\n")
            time.sleep(0.05)

    leases = Leases(open_database(url), clock=lambda: datetime.now(UTC))
    maintenance = Maintenance(leases, holder=str(os.getpid()), interval_seconds=0.1)
    maintenance.register([Task("work", work)])
    maintenance.start()
    print("ready", flush=True)
    sys.stdin.read()
    maintenance.stop()


main(*sys.argv[1:])
