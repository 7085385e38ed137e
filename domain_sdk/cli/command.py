"""A command as a value: what `app` registers, with the example that its help shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Command"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the `mesh` command line."""

    name: str
    run: Callable[..., Any]
    """Its parameters are the command's arguments and options; the first line of its docstring is the help."""
    examples: tuple[str, ...]
    """Lines to copy, at least one."""

    @property
    def epilog(self) -> str:
        """The examples as Rich markup, one to a line."""
        from rich.markup import escape

        title = "Example:" if len(self.examples) == 1 else "Examples:"
        return "\n\n".join([f"[bold]{title}[/bold]", *(f"  [cyan]{escape(line)}[/cyan]" for line in self.examples)])
