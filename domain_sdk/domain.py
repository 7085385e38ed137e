"""`Domain`: the handle of a business domain, and `transform`: a function that makes a product out of governed inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain_sdk.product import Product

if TYPE_CHECKING:
    import polars as pl

    from domain_sdk._progress import Progress
    from domain_sdk.catalog import DomainEntry, ProductEntry
    from domain_sdk.mesh import Mesh
    from domain_sdk.publish import Publishing
    from domain_sdk.release import Preview, Release

__all__ = ["Domain", "Transform"]

TransformFunction = Callable[..., "pl.LazyFrame | pl.DataFrame | Mapping[str, pl.LazyFrame | pl.DataFrame]"]


class Domain:
    """A business domain. Made by `mesh.domain("finance")`; asks the server nothing before something is done with it."""

    def __init__(self, mesh: Mesh, name: str) -> None:
        self.mesh = mesh
        self.name = name

    def __repr__(self) -> str:
        """The name."""
        return f"Domain({self.name!r})"

    def show(self) -> DomainEntry:
        """The domain's catalog entry."""
        from domain_sdk import _catalog_calls

        return _catalog_calls.get_domain(self.mesh._transport, self.name)

    def products(self) -> list[ProductEntry]:
        """The domain's products that the caller may discover, by name."""
        return self.mesh.products(self.name)

    def product(self, name: str, contract: str | Path | None = None) -> Product:
        """The handle of a product, by the last part of its name.

        Args:
            name: Like `ledger`; `finance.ledger` is understood too.
            contract: Path or text of its ODCS contract; the published one when None.
        """
        return Product(self.mesh, f"{self.name}.{name.removeprefix(f'{self.name}.')}", contract)

    def transform(
        self,
        *,
        inputs: Sequence[str],
        output: str,
        purpose: str | None = None,
        contract: str | Path | None = None,
        accept_pii: Sequence[str] = (),
    ) -> Callable[[TransformFunction], Transform]:
        """A decorator: the function becomes a `Transform` that reads the inputs, calls it and publishes what it returns.

        Args:
            inputs: Three-part port names; the function gets a lazy frame for each, in this order.
            output: The product to publish, by the last part of its name.
            purpose: Why the inputs are read.
            contract: Path or text of the output's contract; the published one when None.
            accept_pii: As in `Product.publish`.
        """

        def decorate(function: TransformFunction) -> Transform:
            made = Transform(self, function, inputs=tuple(inputs), purpose=purpose, product=self.product(output, contract))
            made.accept_pii = tuple(accept_pii)
            return made

        return decorate


class Transform:
    """A function between governed inputs and a product. Call it to run it; under any scheduler it is a plain callable."""

    def __init__(
        self, domain: Domain, function: TransformFunction, *, inputs: tuple[str, ...], purpose: str | None, product: Product
    ) -> None:
        self.domain = domain
        self.function = function
        """The function as written, for tests: frames in, frames out."""
        self.inputs = inputs
        self.purpose = purpose
        self.product = product
        self.accept_pii: tuple[str, ...] = ()
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        """Inputs and output."""
        return f"Transform({', '.join(self.inputs)} -> {self.product.name})"

    def __call__(self) -> Release:
        """The output is published from what the inputs hold now."""
        return self.run()

    def run(self, mesh: Mesh | None = None, *, progress: Progress = None) -> Release:
        """The output is published from what the inputs hold now, with its column lineage taken from the query plan.

        Args:
            mesh: As whom to read and publish; the mesh of the domain's handle when None.
            progress: As in `Product.publish`.

        Raises:
            AccessDenied: an input may not be read, or the output not be written.
            ContractViolated: the result breaks the output's contract.
        """
        publishing, frames = self._prepared(mesh)
        return publishing.publish(frames, progress)

    def preview(self, mesh: Mesh | None = None, *, progress: Progress = None) -> Preview:
        """What `run` would find, with nothing written."""
        publishing, frames = self._prepared(mesh)
        return publishing.preview(frames, progress)

    def _prepared(self, mesh: Mesh | None) -> tuple[Publishing, dict[str, Any]]:
        from domain_sdk import read
        from domain_sdk.errors import InvalidRequest
        from domain_sdk.publish import Publishing

        used = mesh or self.domain.mesh
        product = Product(used, self.product.name, self.product._contract)
        sources = [used._source(port, purpose=self.purpose) for port in self.inputs]
        for source in sources:
            source.planned()  # a denial is raised as itself here, before the function runs
        scans = [read.ScanFrame(source, read.scan(source)) for source in sources]
        publishing = Publishing(
            used._transport,
            product.name,
            product.contract(),
            scans=scans,
            job=f"{self.domain.name}.{self.function.__name__}",
            accept_pii=self.accept_pii,
        )
        made = self.function(*(scan.frame for scan in scans))
        if isinstance(made, Mapping):
            return publishing, dict(made)
        ports = publishing.port_names()
        if len(ports) != 1:
            raise InvalidRequest(
                f"{product.name} has the ports {', '.join(ports)}: {self.function.__name__} must return a mapping port → frame.",
                resource=product.name,
            )
        return publishing, {ports[0]: made}
