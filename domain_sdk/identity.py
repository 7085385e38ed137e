"""Who calls and what answers, as values: principals, tokens, purposes and the server's status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["NewToken", "Principal", "Purpose", "ServerStatus", "Token"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls; proven by a token, never declared by the caller."""

    name: str
    """`user:ana`, `service:etl` or `group:analysts`."""
    title: str
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    purposes: tuple[str, ...]
    """Purposes the central team assigned to it."""
    attributes: Mapping[str, str]
    """What row filters may use as `subject.<name>`."""
    is_disabled: bool
    is_administrator: bool
    create_time: datetime | None
    etag: str


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, without its secret."""

    id: str
    principal: str
    description: str
    create_time: datetime | None
    expire_time: datetime | None
    revoke_time: datetime | None
    """When it, or a token it was made with, was revoked."""
    scope: tuple[str, ...] = ()
    """What it is good for, like `read:finance.ledger`; empty: for what the token it was made with is, else for everything."""
    purposes: tuple[str, ...] = ()
    """Data is read for one of these only; empty: for any that the principal holds."""
    parent: str = ""
    """The principal's own token it was made with, whose end is its end; empty if there is none."""
    creator: str = ""
    """Who made it."""
    makers: tuple[str, ...] = ()
    """Who else may have seen its secret, and so may act as its principal; none if it is its holder's own."""
    exchanged_for: str = ""
    """The token it was exchanged for, if it was."""
    exchanged_from: str = ""
    """The token that its holder exchanged for it, if there was one."""
    confirmer: str = ""
    """The second administrator who said that the right one has it; until then what others made reads only, once there are two."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made, with the secret that is shown once."""

    token: Token
    secret: str = field(repr=False)
    """What to send as bearer token; kept nowhere else."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """A purpose for which data may be read."""

    name: str
    parent: str
    """The wider purpose; empty if none."""
    description: str


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What the server is and what waits for the caller."""

    url: str
    version: str
    revision: int
    """The journal's newest revision."""
    gateway: str
    """The gateway's address."""
    principal: str
    """Who the caller is."""
    product_count: int
    """Products the caller may discover."""
    pending_request_count: int
    """Access requests that wait for the caller's decision."""
    shadow_check_count: int = 0
    """Decisions of this server that stock casbin was asked about too, since it started."""
    shadow_mismatch_count: int = 0
    """Those of them it answered differently; more than none is a defect."""
    token_makers: tuple[str, ...] = ()
    """Who else may have seen the secret of the token of this call; none if it is the caller's own."""
    registered_product_count: int = 0
    """More products the caller may discover of which only a contract is registered: nothing of them is published yet."""
