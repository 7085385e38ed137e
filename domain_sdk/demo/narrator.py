"""How the story is told: numbered steps, who acts, the line of Python, what came back, and what was checked."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain_sdk.errors import MeshError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Narrator", "Step", "StoryBroken"]


class StoryBroken(MeshError):
    """The demo claimed something that the mesh did not do."""

    reason = "STORY_BROKEN"
    next_step = "this is a defect of Domain Mesh: please report it with the output above."


@dataclass(slots=True)
class Step:
    """What was told in one step."""

    number: int
    title: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    """Who typed which Python."""
    claims: list[str] = field(default_factory=list)
    """What was checked and held."""


class Narrator:
    """Tells the story on the console, or keeps it to itself if there is none."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._has_just_claimed = False
        self.steps: list[Step] = []

    def step(self, title: str, *words: str) -> None:
        """A new step begins, with a sentence or two on what it is about."""
        self.steps.append(Step(len(self.steps) + 1, title))
        if self._console is None:
            return
        from rich.rule import Rule
        from rich.text import Text

        heading = Text.assemble((f" {len(self.steps)} ", "bold white on blue"), (f"  {title} ", "bold"))
        self._print("", Rule(heading, align="left", style="blue"))
        for paragraph in words:
            self._print(Text(paragraph, style="italic"))

    def types(self, who: str, code: str) -> None:
        """Somebody typed the code."""
        self.steps[-1].lines.append((who, code))
        if self._console is None:
            return
        from rich.padding import Padding
        from rich.syntax import Syntax
        from rich.text import Text

        highlighted = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(code)
        highlighted.rstrip()
        highlighted.no_wrap, highlighted.overflow = False, "fold"
        self._print("", Text(who, style="bold magenta"), Padding(highlighted, (0, 0, 0, 2), expand=False))

    def shows(self, *answers: RenderableType) -> None:
        """The mesh answered."""
        if self._console is None:
            return
        from rich.padding import Padding

        self._print("", *(Padding(answer, (0, 0, 0, 2), expand=False) for answer in answers))

    def claim(self, words: str, holds: object) -> None:
        """The claim was checked and told.

        Raises:
            StoryBroken: it does not hold.
        """
        if not holds:
            raise StoryBroken(f"Step {len(self.steps)}, “{self.steps[-1].title}”: this should be true but is not: {words}.")
        self.steps[-1].claims.append(words)
        if self._console is None:
            return
        from rich.text import Text

        if not self._has_just_claimed:
            self._print("")
        self._print(Text.assemble(("  ✓ ", "bold green"), (words, "green")))
        self._has_just_claimed = True

    def working(self, what: str) -> AbstractContextManager[object]:
        """A spinner while in the block, on a terminal."""
        return nullcontext() if self._console is None else self._console.status(what)

    def _print(self, *parts: RenderableType) -> None:
        if self._console is not None:
            self._has_just_claimed = False
            for part in parts:
                self._console.print(part)
