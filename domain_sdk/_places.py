"""Where a publication's files are written, and how they get from there to the server: by path, or by one signed PUT for each.

By path only where this process can write into the server's drop folder; else, and always to a bucket, files are uploaded. Owns
the uploads: retries, checksums, progress. Holds no credential of the storage: the server signs each request for one file, its
size and its checksum. Knows nothing of contracts or of what is in the files.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import shutil
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from types import TracebackType
from typing import IO

from domain_sdk._transport import Transport
from domain_sdk._write import DeliveredFile
from domain_sdk.errors import StorageUnavailable
from domainmesh.v1 import publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub

__all__ = ["Places"]

_UPLOADS_AT_ONCE = 4
_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_SILENCE_SECONDS = 60.0


class Places:
    """The folders to write each port's files to; a context manager that leaves none of its own behind.

    Args:
        transport: To the server.
        publication: As the server began it.
    """

    def __init__(self, transport: Transport, publication: publication_pb2.Publication) -> None:
        self._transport = transport
        self._id = publication.id
        self._shared = {location.port: Path(location.path) for location in publication.locations if _is_reached(location)}
        self._own: Path | None = None
        self._is_given_up = threading.Event()

    def __enter__(self) -> Places:
        """The same."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """The folders of this machine that were made for it are gone."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def folder(self, port: str) -> Path:
        """An existing folder for the port's files."""
        if port in self._shared:
            return self._shared[port]
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix="mesh-publish-"))
        path = self._own / port
        path.mkdir(exist_ok=True)
        return path

    def send(self, port: str, files: Sequence[DeliveredFile], progress: Callable[[int, int], None]) -> None:
        """The port's files are where the server finds them; uploaded ones are gone from this machine.

        `progress` is told the rows that are there, and how many there are.

        Raises: StorageUnavailable if the storage did not take a file after several attempts; what the server raises.
        """
        if port in self._shared or not files:
            return
        total, done = sum(file.rows for file in files), 0
        with ThreadPoolExecutor(max_workers=_UPLOADS_AT_ONCE, thread_name_prefix="mesh-upload") as pool:
            uploads = {pool.submit(self._send, port, file): file for file in files}
            try:
                for upload in as_completed(uploads):
                    upload.result()
                    done += uploads[upload].rows
                    progress(done, total)
            except BaseException:
                self._is_given_up.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _send(self, port: str, file: DeliveredFile) -> None:
        path = self.folder(port) / file.name
        digest = _sha256(path)
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                upload = self._signed(port, file, digest)  # anew each time: the last signature may have expired
                _put(upload, path, self._transport, self._is_given_up)
                break
            except (OSError, http.client.HTTPException) as error:
                if attempt == _ATTEMPTS or self._is_given_up.is_set() or not _may_pass(error):
                    raise StorageUnavailable(
                        f"The storage did not take {file.name} of {port} ({_words(error)}): publish again, or tell the operator.",
                        resource=port,
                    ) from None  # the error may hold the signed request
            self._is_given_up.wait(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        path.unlink()

    def _signed(self, port: str, file: DeliveredFile, digest: bytes) -> pb.SignedUpload:
        wanted = pb.UploadedFile(port=port, name=file.name, size_bytes=file.size, sha256=digest)
        method = self._transport.control(PublicationServiceStub).SignUploads
        return self._transport.call(method, pb.SignUploadsRequest(id=self._id, files=[wanted])).uploads[0]


class _Body:
    """A file on its way, of which nothing more is read once it is given up."""

    def __init__(self, file: IO[bytes], is_given_up: threading.Event) -> None:
        self._file = file
        self._is_given_up = is_given_up

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises: ConnectionAbortedError when the upload is given up."""
        if self._is_given_up.is_set():
            raise ConnectionAbortedError("the publication was given up")
        return self._file.read(size)


def _put(upload: pb.SignedUpload, path: Path, transport: Transport, is_given_up: threading.Event) -> None:
    url, trust = transport.door(upload.url)
    with path.open("rb") as file:
        body = _Body(file, is_given_up)
        request = urllib.request.Request(url, data=body, headers=dict(upload.headers), method="PUT")
        with urllib.request.urlopen(request, timeout=_SILENCE_SECONDS, context=trust) as answer:
            answer.read()


def _is_reached(location: publication_pb2.WriteLocation) -> bool:
    """True if the server takes the port's files by path and this process may write there."""
    return not location.is_upload and os.access(location.path, os.W_OK | os.X_OK) and Path(location.path).is_dir()


def _may_pass(error: Exception) -> bool:
    """True unless the storage understood the request and refused it."""
    return not isinstance(error, urllib.error.HTTPError) or error.code in (403, 408, 409, 429) or error.code >= 500


def _words(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    return str(error.reason) if isinstance(error, urllib.error.URLError) else type(error).__name__


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
