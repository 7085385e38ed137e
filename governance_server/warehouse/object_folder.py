"""Folders in an S3-compatible object store: moves by server-side copy, uploads by signed PUT, one client for each bucket.

Taken-over objects have keys that no signed request ever named, so whoever held one cannot change them: verification comes after
that copy (ADR 0019). Credentials come from the standard AWS_* environment, held by the server and its gateway alone.
The only home of obstore and botocore.
"""

from __future__ import annotations

import base64
import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from governance_server.warehouse.errors import StorageUnavailable
from governance_server.warehouse.folder import Folder, FoundFile, Upload, check_part

__all__ = ["Bucket", "ObjectFolder"]

_CHUNK_BYTES = 8 << 20
_READ_AHEAD_BYTES = 1 << 20
_RETRIES = 4


class Bucket:
    """One bucket, reached with the credentials of the environment. Safe to use from several threads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.options = {"conditional_put": "etag", "timeout": "60s", "connect_timeout": "5s"}
        """For delta-rs: commits by conditional put, so that of two writers one wins, without a lock table."""
        has_plain_endpoint = _endpoint().startswith("http://")
        if has_plain_endpoint:
            self.options["allow_http"] = "true"
        self.store = S3Store(
            name,
            client_options={"allow_http": has_plain_endpoint, "timeout": "60s", "connect_timeout": "5s"},
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=30)},
        )

    def __reduce__(self) -> tuple[type[Bucket], tuple[str]]:
        """Another process opens the bucket anew, with the credentials of its environment."""
        return type(self), (self.name,)

    @cached_property
    def signer(self) -> Any:  # noqa: ANN401  (botocore ships no types)
        """What signs requests: botocore, because it can bind a request to its size and checksum."""
        import botocore.session
        from botocore.config import Config

        style = "virtual" if os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower() == "true" else "path"
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        config = Config(signature_version="s3v4", s3={"addressing_style": style})
        return botocore.session.get_session().create_client(
            "s3", region_name=region, endpoint_url=_endpoint() or None, config=config
        )

    def check_conditional_put(self, prefix: str) -> None:
        """Returns if the store refuses to write anew what is there already; commits rest on it. Raises: StorageUnavailable.

        Tried below `prefix` with an object of a name of its own: a server and its gateway try it in the same moment.
        """
        place = ObjectFolder(self, prefix)
        key = place._key(uuid.uuid4().hex)
        try:
            with _told(place):
                obstore.put(self.store, key, b"")
                try:
                    obstore.put(self.store, key, b"", mode="create")
                except AlreadyExistsError:
                    return
                finally:
                    obstore.delete(self.store, key)
        except FileNotFoundError:
            raise StorageUnavailable(place.uri, "there is no such bucket") from None
        raise StorageUnavailable(
            place.uri, "the store does not support conditional writes (If-None-Match), so commits are unsafe"
        )


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""


@dataclass(frozen=True, slots=True)
class ObjectFolder:
    """The objects of a bucket whose keys begin with a prefix. See `Folder` for what the methods promise."""

    bucket: Bucket
    prefix: str

    def __str__(self) -> str:
        """The URI."""
        return self.uri

    @property
    def uri(self) -> str:
        """See Folder."""
        return f"s3://{self.bucket.name}/{self.prefix}".rstrip("/")

    @property
    def storage_options(self) -> dict[str, str]:
        """See Folder."""
        return dict(self.bucket.options)

    def inside(self, *parts: str) -> ObjectFolder:
        """See Folder."""
        return ObjectFolder(self.bucket, "/".join([*filter(None, [self.prefix]), *map(check_part, parts)]))

    def exists(self) -> bool:
        """See Folder: always."""
        return True

    def make(self) -> None:
        """See Folder: nothing is to be made."""

    def make_for_publishers(self, *parts: str) -> None:
        """See Folder: nothing is to be made; a signed request says who may write."""

    def subfolders(self) -> Iterator[str]:
        """See Folder."""
        with _told(self):
            listed = obstore.list_with_delimiter(self.bucket.store, self._below())
        for prefix in listed["common_prefixes"]:
            yield prefix.rstrip("/").rpartition("/")[2]

    def files(self) -> Iterator[FoundFile]:
        """See Folder."""
        with _told(self):
            listed = obstore.list_with_delimiter(self.bucket.store, self._below())
        for found in listed["objects"]:
            yield _found(found)

    def find(self, name: str) -> FoundFile | None:
        """See Folder."""
        try:
            with _told(self):
                return _found(obstore.head(self.bucket.store, self._key(name)))
        except FileNotFoundError:
            return None

    def open(self, name: str) -> BinaryIO:
        """See Folder."""
        with _told(self):
            reader = obstore.open_reader(self.bucket.store, self._key(name), buffer_size=_READ_AHEAD_BYTES)
        return cast(BinaryIO, _Reading(reader, self))

    def take(self, name: str, source: Folder, source_name: str) -> None:
        """See Folder: a copy within the store, which appears whole."""
        assert isinstance(source, ObjectFolder), "a folder of a bucket takes from a folder of the same bucket"
        with _told(self):
            if self.find(name) is None:
                obstore.copy(self.bucket.store, source._key(source_name), self._key(name))
        source.remove(source_name)

    def put(self, name: str, source: Path) -> None:
        """See Folder."""
        with _told(self):
            obstore.put(self.bucket.store, self._key(name), source)
        source.unlink()

    def replace(self, name: str, content: bytes) -> None:
        """See Folder."""
        with _told(self):
            obstore.put(self.bucket.store, self._key(name), content)

    def remove(self, name: str) -> None:
        """See Folder."""
        self._remove([self._key(name)])

    def clear(self, part: str) -> None:
        """See Folder."""
        with _told(self):
            for found in obstore.list(self.bucket.store, self._key(part) + "/", chunk_size=1000):
                self._remove([it["path"] for it in found])
        self.remove(part)

    def settle(self, *parts: str) -> None:
        """See Folder: what the store has acknowledged it keeps."""

    def fetch(self, name: str, into: Path) -> None:
        """See Folder."""
        with _told(self):
            answer = obstore.get(self.bucket.store, self._key(name))
            with into.open("wb") as writer:
                for chunk in answer.stream(min_chunk_size=_CHUNK_BYTES):
                    writer.write(chunk)

    def upload(self, name: str, *, size: int, sha256: bytes, valid_for: timedelta) -> Upload | None:
        """See Folder: the signature covers key, size and checksum, so the store takes no other bytes."""
        checksum = base64.b64encode(sha256).decode()
        wanted = {"Bucket": self.bucket.name, "Key": self._key(name), "ContentLength": size, "ChecksumSHA256": checksum}
        seconds = max(1, int(valid_for.total_seconds()))
        with _told(self):
            url = self.bucket.signer.generate_presigned_url("put_object", Params=wanted, ExpiresIn=seconds)
        return Upload(
            str(url), {"Content-Type": "application/octet-stream", "Content-Length": str(size), "x-amz-checksum-sha256": checksum}
        )

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{check_part(name)}" if self.prefix else check_part(name)

    def _below(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""

    def _remove(self, keys: list[str]) -> None:
        try:
            with _told(self):
                obstore.delete(self.bucket.store, keys)
        except FileNotFoundError:
            return


class _Reading(io.RawIOBase):
    """An object as a file for reading; pyarrow asks a file for more than obstore's own reader has."""

    def __init__(self, reader: obstore.ReadableFile, folder: ObjectFolder) -> None:
        super().__init__()
        self._reader = reader
        self._folder = folder

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As in io.IOBase."""
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        """As in io.IOBase."""
        return self._reader.tell()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (anything writable)
        """As in io.RawIOBase."""
        with _told(self._folder):
            read = self._reader.read(len(buffer))
        buffer[: len(read)] = memoryview(read)
        return len(read)


@contextmanager
def _told(folder: ObjectFolder) -> Iterator[None]:
    """While in the block, what the store refuses is StorageUnavailable; an object that is not there is FileNotFoundError."""
    try:
        yield
    except BaseError as error:
        raise StorageUnavailable(folder.uri, type(error).__name__.removesuffix("Error")) from error
    except Exception as error:
        if type(error).__module__.startswith("botocore"):
            raise StorageUnavailable(folder.uri, type(error).__name__) from error
        raise


def _found(meta: Any) -> FoundFile:  # noqa: ANN401  (a typed dict that exists for type checkers only)
    name = str(meta["path"]).rpartition("/")[2]
    return FoundFile(name, int(meta["size"]), int(meta["last_modified"].timestamp() * 1000))
