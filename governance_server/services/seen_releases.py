"""Releases as a caller may see them: the ports it may discover; samples and names of files only for who may write the product."""

from __future__ import annotations

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend
from governance_server.caller import current_caller
from governance_server.publishing.expectations import shown_results

__all__ = ["DOCUMENTS", "files_left_out", "seen_release"]

DOCUMENTS = "documents"
"""The check whose message names files that gave no document."""


def files_left_out(product: str, count: int) -> str:
    """That files gave no document, without their names."""
    if not count:
        return ""
    return f"{count} {'file was' if count == 1 else 'files were'} left out: who may write {product} is told which."


def seen_release(backend: Backend, body: bytes) -> product_pb2.Release:
    """The release of the ports the caller may discover; samples of its checks are data: who may write gets them.

    So are names of files: those that gave a document are shown to who may find it only.
    """
    caller, policy = current_caller(), backend.policy
    release = product_pb2.Release.FromString(body)
    hidden = {port.port for port in release.ports if not policy.check(caller, "discover", port.port).allowed}
    for entries in (release.ports, release.quality):
        kept = [entry for entry in entries if entry.port not in hidden]
        del entries[:]
        entries.extend(kept)  # type: ignore[arg-type]  # each gets back its own
    expected = shown_results(backend, release.expectations, caller)
    del release.expectations[:]
    if policy.check(caller, "write", release.product).allowed:
        release.expectations.extend(it for it in expected if it.port not in hidden)
    else:
        for result in release.quality:
            result.ClearField("samples")
            if result.check == DOCUMENTS:
                result.message = files_left_out(release.product, result.failing_rows)
    return release
