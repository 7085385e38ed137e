"""Writes docs/api.md from proto/: every service, RPC, message, field and enum value with its comment."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# API reference

Generated from `proto/domainmesh/v1` by `make gen`; do not edit. Every call needs `authorization: Bearer <token>`; every
response carries the trailing metadata `mesh-revision`, the journal revision it reflects. A client may send `mesh-min-revision`
to demand that revision or a later one. Errors carry an `ErrorDetail` in the trailing metadata `mesh-error-bin`. `AskService`,
`ConversationService`, `ReadService`, `RetrievalService` and `SqlService` are served by the gateway, whose address
`ServerService.GetServerInfo` gives; all else by the control server. Both offer reflection to whoever has a token.
Requests have at most 16 MiB (`MESH_MAX_MESSAGE_BYTES`), texts are UTF-8 (else INTERNAL), a `request_id` at most 500 characters.
Rows come in messages within gRPC's default of 4 MiB, unless a single row is larger. A page of 500 may be larger, too: ask for
fewer, or let your client take more.

The files name no package of a language. Where a generator wants one, give it an import path for each: for Go
`--go_opt=Mdomainmesh/v1/answer.proto=example.com/meshv1` and so on, or `managed` mode of `buf generate`, which does it for all.
"""


def main() -> None:
    """docs/api.md is what the protos say."""
    files = _descriptors()
    text = HEAD + "".join(_services(files)) + "".join(_types(files))
    (ROOT / "docs" / "api.md").write_text(text)


def _descriptors() -> list[FileDescriptorProto]:
    with tempfile.NamedTemporaryFile() as out:
        protos = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
        options = ["-Iproto", "--include_source_info", f"--descriptor_set_out={out.name}"]
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *protos], cwd=ROOT, check=True)
        return list(FileDescriptorSet.FromString(Path(out.name).read_bytes()).file)


def _comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    return {tuple(it.path): " ".join(it.leading_comments.split()) for it in file.source_code_info.location if it.leading_comments}


def _services(files: list[FileDescriptorProto]) -> Iterator[str]:
    yield "\n## Services\n"
    for file in files:
        comments = _comments(file)
        for number, service in enumerate(file.service):
            yield f"\n### {service.name}\n{comments.get((6, number), '')}\n\n| RPC | |\n|---|---|\n"
            for index, method in enumerate(service.method):
                request, response = (name.rpartition(".")[2] for name in (method.input_type, method.output_type))
                stream = "stream of " if method.server_streaming else ""
                call = f"`{service.name}.{method.name}`({request}) → {stream}{response}"
                yield f"| {call} | {comments.get((6, number, 2, index), '')} |\n"


def _types(files: list[FileDescriptorProto]) -> Iterator[str]:
    yield "\n## Messages and enums\n"
    for file in files:
        comments = _comments(file)
        for number, message in enumerate(file.message_type):
            yield from _message(message, comments, (4, number))
        for number, enum in enumerate(file.enum_type):
            yield from _enum(enum, comments, (5, number))


def _message(message: DescriptorProto, comments: dict[tuple[int, ...], str], path: tuple[int, ...]) -> Iterator[str]:
    yield f"\n### {message.name}\n{comments.get(path, '')}\n"
    if message.field:
        yield "\n| field | type | |\n|---|---|---|\n"
    for index, field in enumerate(message.field):
        yield f"| `{field.name}` | {_type(field)} | {comments.get((*path, 2, index), '')} |\n"


def _enum(enum: EnumDescriptorProto, comments: dict[tuple[int, ...], str], path: tuple[int, ...]) -> Iterator[str]:
    yield f"\n### {enum.name}\n{comments.get(path, '')}\n\n| value | |\n|---|---|\n"
    for index, value in enumerate(enum.value):
        yield f"| `{value.name}` = {value.number} | {comments.get((*path, 2, index), '')} |\n"


def _type(field: FieldDescriptorProto) -> str:
    name = field.type_name.rpartition(".")[2] or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"repeated {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


if __name__ == "__main__":
    main()
