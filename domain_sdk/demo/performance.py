"""One performance of the demo: the stage is set, the story told, and the time taken."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from domain_sdk.cli.output import cell, output_console, print_json
from domain_sdk.cli.tokens import write_secret
from domain_sdk.demo.narrator import Narrator
from domain_sdk.demo.stage import Stage, opened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["perform"]

_KEPT = ("fiona", "carl", "ana")  # the last who logs in is who commands without --profile act as
_EXAMPLES = (
    "mesh --profile ana discover revenue",
    'mesh --profile ana request finance.revenue --purpose forecasting --reason "My own question"',
    "mesh --profile fiona requests --state requested",
    "mesh --profile fiona approve ID --rows \"region = 'APAC'\" --mask customer_id=show-last-4",
    'mesh --profile ana read finance.revenue.revenue --purpose forecasting --where "orders > 4"',
    'mesh --profile carl ask "May we refund order O-000711 after 40 days?" --purpose customer-service',
)


def perform(*, keep: bool, home: Path | None, as_json: bool) -> int:
    """The exit status, once the story was played and, if kept, Ctrl-C ended it."""
    from domain_sdk.demo.story import tell

    started = time.monotonic()
    console = None if as_json else output_console()
    narrator = Narrator(console)
    if console is not None:
        console.print(_title())
    with ExitStack() as stack:
        with narrator.working("Starting a server …"):
            stage = stack.enter_context(opened(home, is_kept=keep))
        tell(narrator, stage, started=started)
        seconds = time.monotonic() - started
        logins = _logins(stage) if keep else []
        if as_json:
            print_json(
                {"seconds": round(seconds, 1), "steps": narrator.steps, "url": stage.url if keep else "", "logins": logins}
            )
        elif console is not None:
            console.print(_end(narrator, seconds))
            if keep:
                _print_kept(console, stage, logins)
        if keep:
            _wait()
    return 0


def _wait() -> None:
    """Nothing happens until Ctrl-C, which ends the block around it."""
    while True:
        time.sleep(1)  # a signal in the moment before it begins is noticed when it is over


def _logins(stage: Stage) -> list[str]:
    """The commands to log in with; each token lies in a file that only its owner can read."""
    files = {name: stage.home / f"{name}.token" for name in _KEPT}
    for name, path in files.items():
        write_secret(path, stage.token(f"user:{name}"))
    return [
        f"mesh login --url {stage.url} --profile {name} --token-file {path}"
        for name, path in {"admin": stage.admin_token_file, **files}.items()
    ]


def _title() -> RenderableType:
    from rich.panel import Panel
    from rich.text import Text

    words = Text.assemble(
        ("Domain Mesh", "bold"),
        "  a data mesh in which governance acts\n\n",
        (
            "Four domains publish data products. An analyst wants one of them. You see the lines they type and the answers they "
            "get, from a real server that was started for this on your machine.",
            "dim",
        ),
    )
    return Panel(words, border_style="blue", padding=(1, 2))


def _end(narrator: Narrator, seconds: float) -> RenderableType:
    from rich.panel import Panel
    from rich.text import Text

    count = sum(len(step.claims) for step in narrator.steps)
    words = Text.assemble(
        (f"All {count} claims of this story were checked while it was told. It took {seconds:.1f} s.\n\n", "bold green"),
        ("Try it yourself  ", "bold"),
        ("mesh demo --keep", "cyan"),
        "   leaves this mesh running and tells how to log in\n",
        ("Start your own   ", "bold"),
        ("mesh serve", "cyan"),
        "         an empty mesh on this machine\n",
        ("Look inside      ", "bold"),
        ("sample_domains/", "cyan"),
        "    contracts, pipelines and policies of what you saw",
        "" if shutil.which("mesh") else f"\nFirst, once      . {_activate()}",
    )
    return Panel(words, border_style="green", padding=(1, 2))


def _print_kept(console: Console, stage: Stage, logins: list[str]) -> None:
    """How to go on; the lines to copy stand outside the box and are never broken."""
    from rich.panel import Panel
    from rich.text import Text

    words = Text.assemble(
        ("The mesh runs at ", ""), (stage.url, "bold"), f"\nits folder is {stage.home}\n", _activation(),
        ("Ctrl-C ends the server; the folder stays until you remove it.", "dim"),
    )  # fmt: skip
    title = Text("Still running", style="bold green")
    console.print(Panel(words, title=title, title_align="left", border_style="green", padding=(1, 2)))
    for heading, lines in (
        ("Log in from another terminal as the administrator, the owner of finance, the service desk and the analyst:", logins),
        ("Then, for example:", _EXAMPLES),
    ):
        console.print(Text(f"\n{heading}"))
        for line in lines:
            console.print(cell(line, "cyan"), soft_wrap=True)


def _activation() -> str:
    """What to do first where `mesh` would not be found."""
    if shutil.which("mesh") is not None:
        return ""
    return f"`mesh` is not on your path: first run `. {_activate()}` in the other terminal\n"


def _activate() -> str:
    script = Path(sys.prefix) / "bin" / "activate"
    return str(script.relative_to(Path.cwd())) if script.is_relative_to(Path.cwd()) else str(script)
