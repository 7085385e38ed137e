"""Where lists find a resource: the keys its current state is listed under, so that no list reads what it does not show.

A key is the name of a list, a space, and what the list is sorted by. Pure: the same keys for a live write and for a rebuild.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import access_request_pb2, break_glass_pb2, change_set_pb2, contract_change_pb2, grant_pb2, product_pb2
from governance_server.rules import kinds
from governance_server.rules.policy_rows import ANY, domain_of
from mesh_core.contract.roles import read_roles

__all__ = ["LISTED", "POSITION", "containers", "keys_of", "moment"]

POSITION = re.compile(r"\d{20} [A-Za-z0-9:._@+-]{1,200}\Z", re.ASCII)
"""A place in a list that is sorted by time."""


def moment(stamp: Timestamp) -> str:
    """The time, so that text order is time order."""
    return f"{max(0, stamp.seconds) * 1_000_000 + stamp.nanos // 1000:020d}"


def keys_of(kind: str, body: bytes | None) -> tuple[str, ...]:
    """The keys of a resource in this state; none of kinds that are listed by name only, and of what is removed or unreadable."""
    made = LISTED.get(kind)
    if made is None or body is None:
        return ()
    try:
        return tuple(made(body))
    except DecodeError:  # whoever reads it by its name is told
        return ()


def _change_set_keys(body: bytes) -> Iterator[str]:
    """All sets, and apart those that wait for a decision; the whole mesh's, each source's and each proposer's."""
    found = change_set_pb2.ChangeSet.FromString(body)
    place = f"{moment(found.create_time)} {found.id}"
    for state in ("all", "open") if found.state == change_set_pb2.CHANGE_SET_STATE_PROPOSED else ("all",):
        yield f"{state} {place}"
        yield f"{state}-of/{found.source} {place}"
        yield f"{state}-by/{found.proposer} {place}"


def _break_glass_keys(body: bytes) -> Iterator[str]:
    """All uses, and apart those that nobody has taken note of; the whole mesh's, each domain's and each principal's."""
    use = break_glass_pb2.BreakGlass.FromString(body)
    place = f"{moment(use.create_time)} {use.id}"
    for state in ("all",) if use.acknowledger else ("all", "open"):
        yield f"{state} {place}"
        yield f"{state}-of/{domain_of(use.resource)} {place}"
        yield f"{state}-by/{use.principal} {place}"


def containers(resource: str) -> Iterator[str]:
    """The domain and the product that a resource is in or is itself; `*` for the mesh and tags, which are in none."""
    yield domain_of(resource)
    if resource.count(".") and domain_of(resource) != ANY:
        yield ".".join(resource.partition("#")[0].split(".")[:2])


def _request_keys(body: bytes) -> Iterator[str]:
    """By id each requester's, domain's and product's; by time what is open, and each requester's that were decided."""
    asked = access_request_pb2.AccessRequest.FromString(body)
    yield f"by/{asked.requester} {asked.id}"
    yield from (f"in/{container} {asked.id}" for container in containers(asked.resource))
    if asked.state == access_request_pb2.ACCESS_REQUEST_STATE_REQUESTED:
        place = f"{moment(asked.create_time)} {asked.id}"
        yield f"open {place}"
        yield f"open-by/{asked.requester} {place}"
    else:
        yield f"decided-by/{asked.requester} {moment(asked.decide_time)} {asked.id}"


def _contract_change_keys(body: bytes) -> Iterator[str]:
    """Open changes of contracts."""
    change = contract_change_pb2.ContractChange.FromString(body)
    if change.state == contract_change_pb2.CONTRACT_CHANGE_STATE_OPEN:
        yield f"open {moment(change.create_time)} {change.id}"


def _contract_keys(body: bytes) -> Iterator[str]:
    """Products, by whom a contract of theirs names as an approver."""
    contract = product_pb2.Contract.FromString(body)
    if "LevelApprovers" in contract.text:  # most name nobody, and a long text takes long to read
        levels = (level for role in read_roles(contract.text) for level in role.levels)
        for name in dict.fromkeys(name for level in levels for name in level.names):
            yield f"approver/{name} {contract.product}"


def _grant_keys(body: bytes) -> Iterator[str]:
    """By id each subject's, domain's and product's, and these by subject; by their end those that will end and go on nowhere."""
    grant = grant_pb2.Grant.FromString(body)
    yield f"for/{grant.subject} {grant.id}"
    for container in containers(grant.resource):
        yield f"in/{container} {grant.id}"
        yield f"in/{container}/for/{grant.subject} {grant.id}"
    is_given = grant.effect == grant_pb2.EFFECT_ALLOW and not (grant.revoke_time.seconds or grant.renewed_by)
    if is_given and grant.HasField("expire_time"):
        place = f"{moment(grant.expire_time)} {grant.id}"
        yield f"ends {place}"
        yield f"ends-of/{grant.subject} {place}"


LISTED: dict[str, Callable[[bytes], Iterator[str]]] = {
    kinds.CHANGE_SET: _change_set_keys,
    kinds.BREAK_GLASS: _break_glass_keys,
    kinds.ACCESS_REQUEST: _request_keys,
    kinds.CONTRACT_CHANGE: _contract_change_keys,
    kinds.CONTRACT: _contract_keys,
    kinds.GRANT: _grant_keys,
}
"""What is listed otherwise than by name."""
