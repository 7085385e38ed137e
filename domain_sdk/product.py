"""`Product`: the handle of a data product: publish it, preview that, look at its releases and contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain_sdk.errors import AccessDenied, InvalidContract, InvalidRequest, NotFound

if TYPE_CHECKING:
    from domain_sdk._modes import Modes
    from domain_sdk._progress import Progress
    from domain_sdk.catalog import ProductEntry, Registration
    from domain_sdk.mesh import Mesh
    from domain_sdk.publish import DeclaredLineage
    from domain_sdk.quality import QualityRecord, QualityWarning
    from domain_sdk.release import Preview, Release
    from domain_sdk.upkeep import Upkeep

__all__ = ["Product", "contract_text"]


class Product:
    """A product of a domain. Made by `mesh.domain("finance").product("ledger", contract=…)`."""

    def __init__(self, mesh: Mesh, name: str, contract: str | Path | None) -> None:
        self.mesh = mesh
        self.name = name
        self._contract = contract

    def __repr__(self) -> str:
        """The name."""
        return f"Product({self.name!r})"

    @property
    def upkeep(self) -> Upkeep:
        """Compaction, vacuum and the end of old versions; needs `administer` on the product."""
        from domain_sdk.upkeep import Upkeep

        return Upkeep(self.mesh._transport, self.name)

    def contract(self, version: int = 0) -> str:
        """The contract given to this handle, else the published one, byte for byte; with a version, the one of that release.

        Before the first release it is the one that is registered.

        Raises:
            InvalidRequest: no contract was given and none was published.
            AccessDenied: none was given, and the product does not exist or may not be seen.
            NotFound: there is no release of that version.
        """
        from domain_sdk import _catalog_calls

        if self._contract is not None and not version:
            return contract_text(self._contract)
        try:
            return _catalog_calls.get_contract(self.mesh._transport, self.name, version)
        except NotFound as error:
            if version:
                raise
            raise InvalidRequest(f"{self.name} has no contract yet: give one to product(…, contract=…).") from error
        except AccessDenied as error:  # what does not exist and what may not be seen are not told apart
            if version:
                raise
            raise AccessDenied(
                f"{error.message} A first release of {self.name} needs its contract: give it to product(…, contract=…), or with "
                "--contract.",
                resource=error.resource,
                request_id=error.request_id,
            ) from error

    def register(self) -> Registration:
        """The contract is kept and shown until a release follows, also if no data could be published with it as it stands.

        Raises:
            InvalidContract: the contract is not valid; every violation is listed.
            AccessDenied: you may not write the product.
        """
        from domain_sdk import _catalog_calls

        return _catalog_calls.register_contract(self.mesh._transport, self.name, self.contract())

    def publish(
        self,
        frames: Mapping[str, Any] | None = None,
        /,
        *,
        lineage: DeclaredLineage | None = None,
        inputs: Sequence[str] = (),
        accept_pii: Sequence[str] = (),
        mode: Modes = "overwrite",
        delete_flag: str | None = None,
        run_id: str = "",
        progress: Progress = None,
        **ports: Any,  # noqa: ANN401 # frames, Arrow streams or document paths; checked against the contract's ports
    ) -> Release:
        """All ports of the product are published as one release, checked against the contract, or nothing is.

        Args:
            frames: Port → what it holds; for port names that are no Python names.
            lineage: Port → column → source columns, where it is known and not to be read from a query plan.
            inputs: Ports that an eager frame was made of; their columns count as unknown sources.
            accept_pii: Columns (`contact`, or `entries.contact`) that hold personal data and stay untagged all the same; the
                acceptance is kept with the release. A column that certainly holds some and has no `pii` tag is refused otherwise.
            mode: How tables are written: `overwrite`; `append`; `merge` by primary key; `replace-partitions`; or port → mode.
                Unless all is overwritten, a port that nothing is given for keeps what it holds.
            delete_flag: In a merge, a boolean column of the frames beside the contract's: where true, the row of that key goes.
            run_id: A name for this run, if it may be repeated: a run becomes at most one release, which a repetition returns.
            progress: A hook `(port, rows done, rows in all)`, or False for silence; a bar on a terminal when None.
            **ports: Port = what it holds: a polars frame (lazy frames are streamed), anything with an Arrow stream, or a file,
                folder, pattern or list of files: Parquet, CSV, NDJSON or Arrow of a table, documents of a collection.

        Raises:
            InvalidRequest: a port is missing or unknown; all of them are named.
            InvalidContract: the contract is not valid; every violation is listed.
            IncompatibleContract: the contract would break consumers.
            ContractViolated: the data breaks the contract; every violation of every port is listed.
            Conflict: somebody else published in between, or the rows changed while they were read. Appends, and merges of other
                keys, do not conflict: they are put on top of what was published meanwhile.
        """
        from domain_sdk.publish import Publishing

        publishing = Publishing(
            self.mesh._transport, self.name, self.contract(), lineage=lineage, inputs=inputs, accept_pii=accept_pii,
            modes=mode, delete_flag=delete_flag, run_id=run_id,
        )  # fmt: skip
        return publishing.publish(_together(frames, ports), progress)

    def preview(
        self,
        frames: Mapping[str, Any] | None = None,
        /,
        *,
        lineage: DeclaredLineage | None = None,
        inputs: Sequence[str] = (),
        accept_pii: Sequence[str] = (),
        mode: Modes = "overwrite",
        delete_flag: str | None = None,
        progress: Progress = None,
        **ports: Any,  # noqa: ANN401 # as in publish
    ) -> Preview:
        """What `publish` would find, with nothing written; broken rules are in the result and not raised.

        Raises:
            InvalidRequest: a port is missing or unknown; all of them are named.
            IncompatibleContract: the contract would break consumers.
        """
        from domain_sdk.publish import Publishing

        publishing = Publishing(
            self.mesh._transport, self.name, self.contract(), lineage=lineage, inputs=inputs, accept_pii=accept_pii,
            modes=mode, delete_flag=delete_flag,
        )  # fmt: skip
        return publishing.preview(_together(frames, ports), progress)

    def show(self) -> ProductEntry:
        """The product's catalog entry with its ports."""
        found = self.mesh.show(self.name)
        from domain_sdk.catalog import ProductEntry

        if not isinstance(found, ProductEntry):
            raise NotFound(f"{self.name} is not a product.", resource=self.name)
        return found

    def quality_history(self, *, port: str = "", check: str = "", limit: int | None = None) -> list[QualityRecord]:
        """What the checks of each release found, newest first; of one port (three-part name) and one check if they are given."""
        from domain_sdk.quality import quality_history

        return quality_history(self.mesh._transport, self.name, port=port, check=check, limit=limit)

    def quality_warnings(self) -> list[QualityWarning]:
        """What is late or suspicious now: data older than promised, an overdue release, warnings of the last one."""
        from domain_sdk.quality import quality_warnings

        return quality_warnings(self.mesh._transport, product=self.name)

    def release(self, version: int = 0) -> Release:
        """One release; the one now served when the version is 0."""
        from domain_sdk import _catalog_calls

        return _catalog_calls.get_release(self.mesh._transport, self.name, version)

    def _ports_published(self) -> list[str]:
        """The three-part names of the product's ports; none before its first release, or if it may not be discovered."""
        try:
            found = self.show()
        except (NotFound, AccessDenied):
            return []
        return [port.name for port in found.ports] if found.version else []

    def releases(self, limit: int | None = None) -> list[Release]:
        """The releases, newest first."""
        from domain_sdk import _catalog_calls

        return _catalog_calls.list_releases(self.mesh._transport, self.name, limit)


def contract_text(contract: str | Path) -> str:
    """The contract's text: of a path the file's, byte for byte; text with a line break is taken as it is.

    Raises:
        InvalidContract: the file cannot be read.
    """
    if isinstance(contract, str) and ("\n" in contract or contract.lstrip().startswith("{")):
        return contract
    try:
        text = Path(contract).read_bytes().decode("utf-8")
    except OSError as error:
        raise InvalidContract(f"The contract file {contract} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidContract(f"The contract file {contract} is not UTF-8 (byte {error.start}): save it as UTF-8.") from error
    if not text.strip():
        raise InvalidContract(f"The contract file {contract} is empty.")
    return text


def _together(frames: Mapping[str, Any] | None, ports: Mapping[str, Any]) -> dict[str, Any]:
    twice = sorted(set(frames or {}) & set(ports))
    if twice:
        raise InvalidRequest(f"Given twice, in the mapping and by name: {', '.join(twice)}.")
    return {**(frames or {}), **ports}
