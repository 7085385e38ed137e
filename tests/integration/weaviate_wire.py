"""A port in front of Weaviate's gRPC port, through which the mesh speaks: something happens after so many bytes to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Wire"]


class Wire:
    """Carries bytes in both directions, for as long as the process lives."""

    def __init__(self, port: int) -> None:
        """`port`: Weaviate's own, where it may come and go."""
        self._port = port
        self._left = 0
        self._happening: Callable[[], None] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def after(self, byte_count: int, happening: Callable[[], None]) -> None:
        """It happens once, before more than so many further bytes have gone to Weaviate."""
        self._left, self._happening = byte_count, happening

    @property
    def has_happened(self) -> bool:
        """True if nothing is waited for any more."""
        return self._happening is None

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                near.close()
                continue
            for source, target, is_sent in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pump, args=(source, target, is_sent), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_sent: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_sent and self._happening is not None:
                    self._left -= len(data)
                    if self._left < 0:
                        happening, self._happening = self._happening, None
                        happening()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):  # the other direction's thread may have ended it
                end.shutdown(socket.SHUT_RDWR)
            end.close()
