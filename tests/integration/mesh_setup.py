"""What tests of the whole mesh share: contracts in a few words, tokens, and calls without the SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from domainmesh.v1 import error_reason_pb2
from tests.servers import RunningServer

__all__ = ["RawMesh", "contract", "detail_of", "raw_mesh", "token_of"]

_Stub = TypeVar("_Stub")


def contract(product: str, ports: Mapping[str, Sequence[str]], *, version: str = "1.0.0", port_extras: str = "") -> str:
    """An ODCS contract: port → columns written like `amount: number, required: true, tags: [pii.money]`."""
    lines = [
        "kind: DataContract", "apiVersion: v3.1.0", f"id: {product}", f"name: {product}", f"version: {version}",
        "status: active", f"domain: {product.partition('.')[0]}", "schema:",
    ]  # fmt: skip
    for port, columns in ports.items():
        lines += [f"  - name: {port}", "    logicalType: object", "    physicalType: table", "    properties:"]
        for column in columns:
            name, _, rest = column.partition(":")
            lines.append(f"      - {{name: {name}, logicalType: {rest.strip()}}}")
        if port_extras:
            lines.append(port_extras)
    return "\n".join(lines) + "\n"


def token_of(server: RunningServer, name: str, **principal: Any) -> str:
    """A token of the principal, which is created if it does not exist."""
    with server.admin() as admin:
        if name not in {known.name for known in admin.admin.principals()}:
            admin.admin.create_principal(name, **principal)
        return admin.admin.create_token(name).secret


@dataclass(frozen=True)
class RawMesh:
    """Both endpoints, as any gRPC client would use them."""

    control_channel: grpc.Channel
    gateway_channel: grpc.Channel
    metadata: tuple[tuple[str, str], ...]

    def control(self, kind: type[_Stub]) -> _Stub:
        return kind(self.control_channel)  # type: ignore[call-arg]

    def gateway(self, kind: type[_Stub]) -> _Stub:
        return kind(self.gateway_channel)  # type: ignore[call-arg]


@contextmanager
def raw_mesh(server: RunningServer, token: str) -> Iterator[RawMesh]:
    """Channels to both endpoints and the metadata that identifies the token's holder."""
    with (
        grpc.insecure_channel(server.url.removeprefix("http://")) as control,
        grpc.insecure_channel(str(server.ready["gateway"])) as gateway,
    ):
        yield RawMesh(control, gateway, (("authorization", f"Bearer {token}"),))


def detail_of(error: grpc.RpcError) -> error_reason_pb2.ErrorDetail:
    """The documented detail that every failed call carries."""
    trailing = dict(error.trailing_metadata() or ())
    return error_reason_pb2.ErrorDetail.FromString(trailing["mesh-error-bin"])
