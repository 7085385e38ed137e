"""Commands whose help shows a flag as a flag: without a type, because it takes no value."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["FlagCommand", "FlagGroup"]


class FlagCommand(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 # typer keeps its own copy of click private
        """The parameters."""
        return _typeless(super().get_params(ctx))


class FlagGroup(TyperGroup):
    """A command with commands below it."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 # typer keeps its own copy of click private
        """The parameters."""
        return _typeless(super().get_params(ctx))


def _typeless(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters
