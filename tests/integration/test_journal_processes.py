from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from governance_server.storage.engine import Database, open_database
from tests.integration.journal_databases import CHILD_ENVIRONMENT, PYTHON, postgres_url, running_journal, sqlite_url, writing

WRITER = """
import os, sys, threading
from governance_server.journal.journal import Journal
from governance_server.storage.engine import open_database
from tests.integration.journal_databases import now, writing

url, name, threads, each = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
journal = Journal(open_database(url), clock=now)
sys.stdin.readline()

def work(thread):
    for number in range(each):
        subject = f"{name}{thread}.n{number}"
        receipt = journal.submit(writing(("grant", subject, bytes(500)), request_id=subject, digest=b"d"))
        os.write(1, f"{receipt.revision} {subject}\\n".encode())

for thread in range(threads):
    threading.Thread(target=work, args=(thread,)).start()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else stack.enter_context(postgres_url())
        database = open_database(url)
        yield database
        database.close()


def start_writer(database: Database, name: str, *, threads: int, each: int) -> subprocess.Popen[str]:
    arguments = [PYTHON, "-c", WRITER, database.driver.url, name, str(threads), str(each)]
    return subprocess.Popen(arguments, env=CHILD_ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def acknowledged(lines: list[str]) -> dict[int, str]:
    pairs = [line.split() for line in lines if line.endswith("\n")]
    return {int(revision): subject for revision, subject in pairs}


def stored(database: Database) -> dict[int, str]:
    with running_journal(database) as journal:
        return {change.revision: change.subject for change in journal.read_changes(0, 100_000)}


@pytest.mark.parametrize("acknowledgements", [1, 50, 400])
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(database: Database, acknowledgements: int) -> None:
    child = start_writer(database, "d", threads=8, each=100_000)
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.close()
    lines = [child.stdout.readline() for _ in range(acknowledgements)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.readlines()
    child.stdout.close()
    assert child.wait(20) == -signal.SIGKILL
    promised = acknowledged(lines)
    assert len(promised) >= acknowledgements
    assert promised.items() <= stored(database).items()
    with running_journal(database) as journal:
        assert journal.verify(deep=True).ok
        revision, subject = next(iter(promised.items()))
        again = journal.submit(writing(("grant", subject, bytes(500)), request_id=subject, digest=b"d"))
        assert (again.revision, again.replayed) == (revision, True)
        assert journal.submit(writing(("grant", "d.after", b""))).revision == len(stored(database))


def test_two_processes_append_to_one_database_in_one_order(database: Database) -> None:
    children = [start_writer(database, name, threads=4, each=100) for name in ("a", "b")]
    promised: dict[int, str] = {}
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        output, _ = child.communicate(timeout=50)
        assert child.returncode == 0
        promised |= acknowledged(output.splitlines(keepends=True))
    assert sorted(promised) == list(range(1, 801))
    assert stored(database) == promised
    with running_journal(database) as journal:
        assert journal.verify(deep=True).ok


FAILING_DISK = """
import os, resource, sys
from concurrent.futures import ThreadPoolExecutor
from governance_server.journal.journal import Journal
from governance_server.storage.engine import open_database
from governance_server.storage.errors import StorageUnavailable
from tests.integration.journal_databases import now, writing

database = open_database(sys.argv[1])
journal = Journal(database, clock=now)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

def attempt(number):
    try:
        return journal.submit(writing(("grant", f"d.n{number}", bytes(3000)), request_id=str(number), digest=b"d")).revision
    except StorageUnavailable:
        return 0

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
with ThreadPoolExecutor(4) as pool:
    first = list(pool.map(attempt, range(60)))
assert 0 in first and max(first) == database.head().revision, first
assert journal.verify(deep=True).ok
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
again = [attempt(number) for number in range(60)]
assert all(revision == before for revision, before in zip(again, first) if before), (first, again)
assert sorted(again) == list(range(1, 61)), again
assert journal.verify(deep=True).ok
os._exit(0)
"""


@pytest.mark.parametrize("limit_bytes", [100_000, 200_000])
def test_a_write_that_fails_below_sqlite_loses_and_repeats_nothing(tmp_path: Path, limit_bytes: int) -> None:
    command = [PYTHON, "-c", FAILING_DISK, sqlite_url(tmp_path), str(limit_bytes)]
    child = subprocess.run(command, env=CHILD_ENVIRONMENT, capture_output=True, text=True, timeout=50, check=False)
    assert child.returncode == 0, child.stderr[-3000:]
