"""Which physical datasets back the ports of a contract, named as OpenLineage's naming specification names them.

Owns the way from an ODCS contract's `servers` and a schema object's `physicalName` to namespace and name. Where the specification
has no word (Weaviate, LanceDB) the store's URL is the namespace and the collection the name. Imports openlineage on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from mesh_core.contract import Contract
from mesh_core.dataset_names import dataset_node

__all__ = ["file_node", "port_datasets"]

_GLOBS = "*?{"


def port_datasets(contract: Contract) -> dict[str, tuple[str, ...]]:
    """Port (its own part of the name) → the nodes of the datasets that the contract's servers say back it."""
    objects = [it for it in contract.document.get("schema") or () if isinstance(it, dict)]
    servers = [it for it in contract.document.get("servers") or () if isinstance(it, dict)]
    found: dict[str, tuple[str, ...]] = {}
    for port, entry in zip(contract.ports, objects, strict=True):
        physical = str(entry.get("physicalName") or port.name)
        nodes = {node for server in servers for node in _nodes(server, physical, is_only=len(objects) == 1)}
        found[port.name] = tuple(sorted(nodes))
    return found


def file_node(path: str) -> str:
    """The node of a local file or folder."""
    return dataset_node("file", path)


def _nodes(server: Mapping[str, Any], physical: str, *, is_only: bool) -> Iterator[str]:
    kind = str(server.get("type", "")).lower()
    if "://" in physical or physical.startswith("/"):
        location = _located(physical)
        if location is not None:
            yield location
        return
    make = _MAKERS.get(kind)
    try:
        if make is not None:
            naming = make(server, physical)
            yield dataset_node(naming.get_namespace(), naming.get_name())
            return
    except (KeyError, ValueError):
        return  # the server does not say enough to name anything
    location_text = str(server.get("location") or server.get("path") or "")
    for text in _locations(location_text, physical, is_only=is_only):
        node = _located(text)
        if node is not None:
            yield node


def _locations(location: str, physical: str, *, is_only: bool) -> Iterator[str]:
    """The folder of the server, with the object's name in it where the server has several objects or a place for it."""
    for place in ("{model}", "{schema}", "{table}", "{physicalName}"):
        if place in location:
            yield _folder(location.replace(place, physical))
            return
    folder = _folder(location)
    if folder:
        yield f"{folder}/{physical}"
        if is_only:
            yield folder


def _folder(location: str) -> str:
    """The location up to the first part that is a pattern."""
    parts = location.split("/")
    kept = next((parts[:i] for i, part in enumerate(parts) if any(mark in part for mark in _GLOBS)), parts)
    return "/".join(kept).rstrip("/")


def _located(text: str) -> str | None:
    """The node of a URI or absolute path; None if it is neither."""
    if text.startswith("/"):
        return file_node(text)
    url = urlsplit(text)
    if url.scheme == "file":
        return file_node(url.path)
    if not url.scheme or not url.netloc or not url.path.strip("/"):
        return None
    return dataset_node(f"{url.scheme}://{url.netloc}", url.path.strip("/"))


def _text(server: Mapping[str, Any], *names: str) -> str:
    """The first of the fields that is given. Raises: KeyError."""
    for name in names:
        if server.get(name) not in (None, ""):
            return str(server[name])
    raise KeyError(names[0])


def _naming(name: str) -> Any:  # noqa: ANN401  # a class of the client
    from openlineage.client.naming import dataset

    return getattr(dataset, name)


def _schema_table(server: Mapping[str, Any], physical: str, default: str | None = None) -> tuple[str, str]:
    """Schema and table: the physical name may bring its own schema."""
    schema, dot, table = physical.rpartition(".")
    if dot:
        return schema.rpartition(".")[2], table
    return str(server.get("schema") or default or _text(server, "schema")), physical


def _postgres(server: Mapping[str, Any], physical: str) -> Any:  # noqa: ANN401
    schema, table = _schema_table(server, physical, "public")
    host, port = _text(server, "host"), str(server.get("port", 5432))
    return _naming("Postgres")(host=host, port=port, database=_text(server, "database"), schema=schema, table=table)


def _kafka(server: Mapping[str, Any], physical: str) -> Any:  # noqa: ANN401
    host, _, port = _text(server, "host").partition(",")[0].removeprefix("kafka://").partition(":")
    return _naming("Kafka")(bootstrap_server_host=host, port=port or str(server.get("port", 9092)), topic=physical)


def _bigquery(server: Mapping[str, Any], physical: str) -> Any:  # noqa: ANN401
    return _naming("BigQuery")(project_id=_text(server, "project"), dataset_name=_text(server, "dataset"), table_name=physical)


def _mysql(server: Mapping[str, Any], physical: str) -> Any:  # noqa: ANN401
    host, port = _text(server, "host"), str(server.get("port", 3306))
    return _naming("MySQL")(host=host, port=port, database=_text(server, "database"), table=physical)


def _snowflake(server: Mapping[str, Any], physical: str) -> Any:  # noqa: ANN401
    schema, table = _schema_table(server, physical)
    organization, dash, account = _text(server, "account").partition("-")
    if not dash:
        raise KeyError("account")  # the naming wants organization-account
    names = {"organization_name": organization, "account_name": account, "database": _text(server, "database")}
    return _naming("Snowflake")(**names, schema=schema, table=table)


def _trino(server: Mapping[str, Any], physical: str) -> Any:  # noqa: ANN401
    schema, table = _schema_table(server, physical)
    host, port = _text(server, "host"), str(server.get("port", 8080))
    return _naming("Trino")(host=host, port=port, catalog=_text(server, "catalog"), schema=schema, table=table)


def _sqlserver(server: Mapping[str, Any], physical: str) -> Any:  # noqa: ANN401
    schema, table = _schema_table(server, physical, "dbo")
    host, port = _text(server, "host"), str(server.get("port", 1433))
    return _naming("AzureSynapse")(host=host, port=port, schema=schema, table=table)


class _Weaviate:
    """A class of a Weaviate server, which the specification has no naming for."""

    def __init__(self, host: str, name: str) -> None:
        self._host = host
        self._name = name

    def get_namespace(self) -> str:
        return f"weaviate://{self._host}"

    def get_name(self) -> str:
        return self._name


def _weaviate(server: Mapping[str, Any], physical: str) -> _Weaviate:
    host = _text(server, "host").removeprefix("http://").removeprefix("https://").removeprefix("weaviate://").rstrip("/")
    return _Weaviate(host if ":" in host else f"{host}:{server.get('port', 8080)}", physical)


_MAKERS: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "postgres": _postgres,
    "postgresql": _postgres,
    "kafka": _kafka,
    "bigquery": _bigquery,
    "mysql": _mysql,
    "snowflake": _snowflake,
    "trino": _trino,
    "presto": _trino,
    "sqlserver": _sqlserver,
    "synapse": _sqlserver,
    "weaviate": _weaviate,
}
