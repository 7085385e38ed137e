"""Pipeline files: Python files with transforms, found, put in order, and run one after the other. There is no scheduler here."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain_sdk.errors import InvalidRequest, MeshError
from domain_sdk.transform import Transform

if TYPE_CHECKING:
    from domain_sdk.mesh import Mesh
    from domain_sdk.release import Release

__all__ = ["TransformRun", "load_transforms", "run_transforms"]


@dataclass(frozen=True, slots=True)
class TransformRun:
    """What became of one transform."""

    transform: str
    """The function's name."""
    product: str
    release: Release | None
    """What it published; None if nothing had changed since its last release."""


def load_transforms(path: Path) -> list[Transform]:
    """The transforms that the file defines at its top level, each behind those whose output it reads.

    Raises:
        InvalidRequest: the file cannot be loaded, has no transform, or its transforms read each other in a circle.
    """
    spec = importlib.util.spec_from_file_location(f"pipeline_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidRequest(f"{path} is no Python file: name a pipeline, like finance/pipeline.py.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        with _own_errors_named(str(spec.origin), f"{path} cannot be loaded"):
            spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent.resolve()))
    found = list(dict.fromkeys(value for value in vars(module).values() if isinstance(value, Transform)))
    if not found:
        raise InvalidRequest(f"{path} defines no transform at its top level: decorate a function with @domain.transform(…).")
    return _in_order(found, path)


def run_transforms(
    transforms: Sequence[Transform],
    mesh: Mesh,
    *,
    run_id: str = "",
    only_changed: bool = False,
    told: Callable[[Transform], None] = lambda _: None,
) -> Iterator[TransformRun]:
    """Each is run as the mesh's principal and given when it is done; the first that fails ends it.

    Args:
        transforms: In this order.
        mesh: As whom.
        run_id: As in `Transform.run`; a repetition goes on where the last one failed.
        only_changed: Leave out what was made from exactly the versions that its inputs have now.
        told: Called before each is run.

    Raises:
        InvalidRequest: a transform's function failed; its own error is the cause.
    """
    for transform in transforms:
        told(transform)
        if only_changed and transform.is_current(mesh):
            yield TransformRun(transform.function.__name__, transform.product.name, None)
        else:
            file = transform.function.__code__.co_filename
            with _own_errors_named(file, f"The transform {transform.function.__name__} failed"):
                release = transform.run(mesh, run_id=run_id, progress=False)
            yield TransformRun(transform.function.__name__, transform.product.name, release)


@contextmanager
def _own_errors_named(file: str, what: str) -> Iterator[None]:
    """Within the block, what the author's file lets escape is told with its line; errors that it has no part in pass."""
    try:
        yield
    except MeshError:
        raise
    except Exception as error:  # whatever somebody else's code raises
        line = _line(error, file)
        if line is None:
            raise
        is_plain = isinstance(error, ImportError | SyntaxError)
        words = (error.msg if isinstance(error, SyntaxError) else str(error)).strip() or "no message"
        kind = "" if is_plain else f"{type(error).__name__}: "
        raise InvalidRequest(f"{what}: line {line}: {kind}{words} (MESH_DEBUG=1 shows the whole traceback).") from error


def _line(error: Exception, file: str) -> int | None:
    """The innermost line of the file that the error went through; None if it went through none."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


def _in_order(transforms: list[Transform], path: Path) -> list[Transform]:
    """Stable: what does not depend on each other stays as it is written. A query is taken to read what it names."""
    waiting, done = list(transforms), list[Transform]()
    while waiting:
        products = {transform.product.name for transform in waiting}
        ready = next((it for it in waiting if not any(_reads(it, name) for name in products - {it.product.name})), None)
        if ready is None:
            names = ", ".join(transform.function.__name__ for transform in waiting)
            raise InvalidRequest(f"The transforms {names} of {path} read each other in a circle.")
        waiting.remove(ready)
        done.append(ready)
    return done


def _reads(transform: Transform, product: str) -> bool:
    if transform.sql:
        return f"{product}." in transform.sql.replace('"', "")
    return any(port.rpartition(".")[0] == product for port in transform.inputs)
