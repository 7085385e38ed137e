"""Write modes: how each port of a publication is written, from what the publisher says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from domain_sdk.errors import InvalidRequest, Violation

__all__ = ["Mode", "Modes", "port_modes"]

Mode = Literal["overwrite", "append", "merge", "replace-partitions", "keep"]
"""`overwrite`: the port holds what is given. `append`: that is added. `merge`: rows of the same primary key are replaced, flagged
ones deleted, the others added. `replace-partitions`: the partitions of the given rows are replaced. `keep`: nothing is given."""

Modes = Mode | Mapping[str, Mode]
"""One mode for every table that is given, or port → mode."""


def port_modes(
    modes: Modes, *, given: Collection[str], tables: Collection[str], ports: Collection[str], product: str
) -> dict[str, Mode]:
    """Port → how it is written.

    One mode is for the given tables; given collections are overwritten. Unless all is overwritten, what is not given is kept.

    Args:
        modes: What the publisher says.
        given: Ports that something is given for.
        tables: The contract's tables.
        ports: All of the contract's ports.
        product: The product's name, for messages.

    Raises:
        InvalidRequest: a mode or a port is unknown, or `keep` is said of a port that is given.
    """
    if isinstance(modes, str):
        _refuse([Violation("mode", f"{modes!r} is no mode.")] if modes not in get_args(Mode) else [], product)
        chosen: dict[str, Mode] = {port: modes for port in given if port in tables}
    else:
        chosen = dict(modes)
    wrong = [Violation(port, "the contract has no such port.") for port in chosen if port not in ports]
    wrong += [Violation(port, f"{mode!r} is no mode.") for port, mode in chosen.items() if mode not in get_args(Mode)]
    wrong += [Violation(port, "it is given and to be kept.") for port, mode in chosen.items() if mode == "keep" and port in given]
    _refuse(wrong, product)
    is_partial = any(mode != "overwrite" for mode in chosen.values())
    return {port: chosen.get(port, "keep" if is_partial and port not in given else "overwrite") for port in ports}


def _refuse(wrong: list[Violation], product: str) -> None:
    if wrong:
        known = ", ".join(get_args(Mode))
        raise InvalidRequest(f"{product} cannot be written like that; the modes are {known}.", resource=product, violations=wrong)
