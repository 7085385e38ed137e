"""What a server needs to listen: ports that nobody else has, and certificates that can be used; said plainly if it is not so."""

from __future__ import annotations

import socket
import ssl

from governance_server.config import InvalidSettings, Settings

__all__ = ["check_port", "listening_socket", "server_certificates"]


def listening_socket(host: str, port: int, setting: str) -> socket.socket:
    """A bound and listening socket; port 0 takes a free one. Raises: OSError if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=512)
    except OSError as error:
        raise OSError(f"{host}:{port} cannot be listened on: {_why(error)}, or set {setting}.") from error


def check_port(host: str, port: int, setting: str) -> None:
    """Returns if the port could be listened on just now. Raises: OSError.

    Whoever listens next may still find it taken; asked before, a library that tells of it in its own words need not.
    """
    if port:
        listening_socket(host, port, setting).close()


def server_certificates(settings: Settings) -> ssl.SSLContext | None:
    """What this server shows and asks of clients; None without TLS. Raises: InvalidSettings."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (ssl.SSLError, OSError) as error:
        raise InvalidSettings(
            f"MESH_TLS_CERTIFICATE and MESH_TLS_KEY cannot be used ({_short(error)}): give a PEM chain and its PEM private key."
        ) from error
    if settings.tls_client_ca is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except (ssl.SSLError, OSError) as error:
            raise InvalidSettings(f"MESH_TLS_CLIENT_CA cannot be used ({_short(error)}): give PEM certificates.") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _why(error: OSError) -> str:
    import errno

    if error.errno == errno.EADDRINUSE:
        return "another program has it. End that"
    return f"{error.strerror or error}. Use an address of this machine and a port that you may take"


def _short(error: OSError) -> str:
    return error.strerror or str(error)
