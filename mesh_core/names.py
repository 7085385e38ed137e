"""Resource names: the one place that parses, validates and builds them.

Owns the dotted three-part names of design §1 (`finance.ledger.entries`), column objects (`finance.ledger.entries#amount`),
principals (`user:ana`) and tags (`pii.email`). Knows nothing of storage, policy or the wire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "MESH",
    "InvalidName",
    "PortName",
    "check_column",
    "check_domain",
    "check_port_part",
    "check_principal",
    "check_product_part",
    "check_purpose",
    "check_tag",
    "column_object",
    "containment",
    "parents",
    "parse_port",
    "parse_product",
    "tag_object",
]

MESH = "mesh"
"""The object that contains every domain."""

_PART = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
_PORT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}\Z")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}\Z")
_PRINCIPAL = re.compile(r"(user|group|service|role|domain):[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,126}\Z")
_COLUMN_MAX = 255


class InvalidName(ValueError):
    """A name that breaks the rules of its kind; the message names the rule and the way out."""


@dataclass(frozen=True, slots=True, order=True)
class PortName:
    """The three parts of a port's name."""

    domain: str
    product: str
    port: str

    def __str__(self) -> str:
        """The dotted name, as used in SQL and on the wire."""
        return f"{self.domain}.{self.product}.{self.port}"

    @property
    def product_name(self) -> str:
        """The product's dotted name."""
        return f"{self.domain}.{self.product}"


def _checked(value: str, pattern: re.Pattern[str], what: str, rule: str) -> str:
    if not pattern.match(value):
        raise InvalidName(f"{value!r} is not a valid {what}: use {rule}.")
    return value


def check_domain(name: str) -> str:
    """The name, if it is a valid domain name other than the reserved `mesh`. Raises: InvalidName."""
    if name == MESH:
        raise InvalidName("'mesh' is reserved for the whole mesh: choose another domain name.")
    return _checked(name, _PART, "domain name", "a lower-case letter, then up to 62 of a-z 0-9 _ -")


def check_product_part(name: str) -> str:
    """The name, if it is valid as the last part of a product's name. Raises: InvalidName."""
    return _checked(name, _PART, "product name", "a lower-case letter, then up to 62 of a-z 0-9 _ -")


def check_port_part(name: str) -> str:
    """The name, if it is valid as the last part of a port's name. Raises: InvalidName."""
    return _checked(name, _PORT, "port name", "a letter or _, then up to 127 of A-Z a-z 0-9 _ -")


def check_column(name: str) -> str:
    """The name, if it is a valid column name: 1 to 255 printable characters. Raises: InvalidName."""
    if not name or len(name) > _COLUMN_MAX or not name.isprintable():
        raise InvalidName(f"{name!r} is not a valid column name: use 1 to {_COLUMN_MAX} printable characters.")
    return name


def check_principal(name: str) -> str:
    """The name, if it is `kind:id` with kind user, group, service, role or domain. Raises: InvalidName."""
    return _checked(name, _PRINCIPAL, "principal", "user:, group:, service:, role: or domain: and a name, like user:ana")


def check_purpose(name: str) -> str:
    """The name, if it is a valid purpose. Raises: InvalidName."""
    return _checked(name, _PART, "purpose", "a lower-case letter, then up to 62 of a-z 0-9 _ -")


def check_tag(name: str) -> str:
    """The name, if it is a valid tag without the `tag:` prefix, like `pii.email`. Raises: InvalidName."""
    return _checked(name, _TAG, "tag", "up to 8 dot-separated words of A-Z a-z 0-9 _ -, like pii.email")


def parse_product(name: str) -> tuple[str, str]:
    """Domain and product part of `domain.product`. Raises: InvalidName."""
    parts = name.split(".")
    if len(parts) != 2:
        raise InvalidName(f"{name!r} is not a product: write it as domain.product, like finance.ledger.")
    return check_domain(parts[0]), check_product_part(parts[1])


def parse_port(name: str) -> PortName:
    """The parts of `domain.product.port`. Raises: InvalidName."""
    parts = name.split(".")
    if len(parts) != 3:
        raise InvalidName(f"{name!r} is not a port: write it as domain.product.port, like finance.ledger.entries.")
    return PortName(check_domain(parts[0]), check_product_part(parts[1]), check_port_part(parts[2]))


def column_object(port: str, column: str) -> str:
    """The policy object of a column: `finance.ledger.entries#amount`."""
    return f"{port}#{column}"


def tag_object(tag: str) -> str:
    """The policy object of a tag; `pii.*` and `pii` are the same object `tag:pii`. Raises: InvalidName."""
    return f"tag:{check_tag(tag.removeprefix('tag:').removesuffix('.*'))}"


def parents(obj: str) -> tuple[str, ...]:
    """The direct container of an object by its name alone: column → port → product → domain → mesh, tag → wider tag."""
    if obj == MESH:
        return ()
    if obj.startswith("tag:"):
        return (obj.rpartition(".")[0],) if "." in obj else ()
    if "#" in obj:
        return (obj.split("#", 1)[0],)
    return (obj.rpartition(".")[0],) if "." in obj else (MESH,)


def containment(obj: str) -> tuple[str, ...]:
    """The object and all that contains it by its name alone, from the inside out: `parents` to the end, in one step."""
    if obj.startswith("tag:"):
        found, rest = [obj], obj
    else:
        rest = obj.partition("#")[0]
        found = [obj] if len(rest) == len(obj) else [obj, rest]
    while "." in rest:
        rest = rest.rpartition(".")[0]
        found.append(rest)
    if rest != MESH and not obj.startswith("tag:"):
        found.append(MESH)
    return tuple(found)
