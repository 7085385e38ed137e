"""`Domain`: the handle of a business domain; leads to its products and to transforms that make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from domain_sdk.product import Product

if TYPE_CHECKING:
    from domain_sdk.catalog import DomainEntry, ProductEntry
    from domain_sdk.mesh import Mesh
    from domain_sdk.transform import Transform, TransformFunction

__all__ = ["Domain"]


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
        output: str,
        inputs: Sequence[str] = (),
        sql: str = "",
        purpose: str | None = None,
        contract: str | Path | None = None,
        incremental: str = "",
    ) -> Callable[[TransformFunction], Transform]:
        """A decorator: the function becomes a `Transform` that reads the inputs, calls it and publishes what it returns.

        Args:
            output: The product to publish, by the last part of its name.
            inputs: Three-part port names; the function gets a lazy frame for each, in this order.
            sql: In place of inputs: a query over ports, whose result is published. The function gives its name and is not called.
            purpose: Why the inputs are read.
            contract: Path or text of the output's contract; the published one when None.
            incremental: The input of which only changes are read, if each row of the output follows from one row of it (and the
                other inputs): a filter, a projection, a look-up; no aggregate. A run then reads the change feed since the version
                that the output was last made from and merges what the function makes of it by the output's primary key. All is
                made anew the first time, with another contract, when another input has changed, and when the feed cannot tell.

        Raises:
            InvalidRequest: neither inputs nor a query are given, or both; `incremental` is none of the inputs.
        """
        from domain_sdk.transform import Transform

        def decorate(function: TransformFunction) -> Transform:
            product = self.product(output, contract)
            return Transform(
                self, function, inputs=tuple(inputs), sql=sql, purpose=purpose, product=product, incremental=incremental
            )

        return decorate
