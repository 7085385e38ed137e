"""An upload that runs when the publisher is interrupted ends then, and not when it is done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from domain_sdk._places import Places
from domain_sdk._transport import Transport
from domain_sdk._write import DeliveredFile
from domainmesh.v1 import publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb

LARGE = 400 << 20
PORT = "shop.stock.rows"


class Storage(ThreadingHTTPServer):
    """Takes small files at once; of a large one it takes a little, and the rest only when it may."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.has_begun, self.may_go_on, self.is_over = threading.Event(), threading.Event(), threading.Event()
        self.taken = 0


class _Taking(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:  # the name that the library asks for
        storage = self.server
        assert isinstance(storage, Storage)
        left = int(self.headers["Content-Length"])
        if left == LARGE:
            storage.has_begun.set()
            storage.may_go_on.wait(50)
            while part := self.rfile.read1(1 << 20):
                storage.taken += len(part)
            storage.is_over.set()
            return
        self.rfile.read(left)
        storage.has_begun.wait(50)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def storage() -> Iterator[Storage]:
    with Storage() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_interrupted_publisher_sends_nothing_more(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def signed(places: Places, port: str, file: DeliveredFile, digest: bytes) -> pb.SignedUpload:
        url = f"http://127.0.0.1:{storage.server_port}/{file.name}"
        return pb.SignedUpload(url=url, headers={"Content-Length": str(file.size)})

    monkeypatch.setattr(Places, "_signed", signed)
    transport = Transport(f"http://127.0.0.1:{storage.server_port}", "token")
    with Places(transport, publication_pb2.Publication(id="p")) as places:
        files = []
        for name, size in (("small", 10), ("large", LARGE)):
            with (places.folder(PORT) / name).open("wb") as file:
                file.truncate(size)
            files.append(DeliveredFile(name=name, rows=1, size=size))

        def interrupt(done: int, total: int) -> None:
            threading.Timer(0.5, storage.may_go_on.set).start()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            places.send(PORT, files, interrupt)
    transport.close()
    assert storage.is_over.wait(50)
    assert storage.taken < LARGE
