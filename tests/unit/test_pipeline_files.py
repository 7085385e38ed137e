"""What a pipeline file raises itself is told as its own, with the line; it is no defect of anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from domain_sdk.cli import main
from domain_sdk.errors import AccessDenied, InvalidRequest
from domain_sdk.pipelines import load_transforms, run_transforms
from domain_sdk.transform import Transform


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nope\n", "cannot be loaded: line 1: No module named 'nope'"),
        ("x = 1\nx = 1 / 0\n", "cannot be loaded: line 2: ZeroDivisionError: division by zero"),
        ("def broken(:\n", "cannot be loaded: line 1: invalid syntax"),
        ("open('/no/such/file')\n", "cannot be loaded: line 1: FileNotFoundError"),
        ("import json\n\njson.loads('{')\n", "cannot be loaded: line 3: JSONDecodeError"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_where_and_why(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MESH_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("brk.py").write_text(text)
    assert main(["run", "brk.py"]) == 1
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"brk.py {said}" in told
    assert "defect" not in told


class _OfFunction(Transform):
    """A transform whose run is its function alone."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def run(self, *_: object, **__: object) -> Any:
        return self.function()


def _run(function: Any) -> None:
    list(run_transforms([_OfFunction(function)], cast("Any", None)))


def test_what_a_transform_raises_is_told_with_its_line() -> None:
    def revenue() -> None:
        {}["region"]

    line = revenue.__code__.co_firstlineno + 1
    with pytest.raises(InvalidRequest, match=f"The transform revenue failed: line {line}: KeyError: 'region'") as caught:
        _run(revenue)
    assert isinstance(caught.value.__cause__, KeyError)


def test_errors_of_the_mesh_in_a_transform_stay_what_they_are() -> None:
    def revenue() -> None:
        raise AccessDenied("no")

    with pytest.raises(AccessDenied):
        _run(revenue)


def test_a_failure_that_the_authors_file_has_no_part_in_is_not_theirs(tmp_path: Path) -> None:
    made: dict[str, Any] = {}
    exec(compile("def revenue(): pass", str(tmp_path / "own.py"), "exec"), made)
    transform = _OfFunction(made["revenue"])
    transform.run = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        list(run_transforms([transform], cast("Any", None)))


def test_loading_a_file_again_after_a_failure_is_possible(tmp_path: Path) -> None:
    file = tmp_path / "later.py"
    file.write_text("import nope\n")
    with pytest.raises(InvalidRequest, match="No module named"):
        load_transforms(file)
    file.write_text("y = 1\n")
    with pytest.raises(InvalidRequest, match="defines no transform"):
        load_transforms(file)
