from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from napari_tessera.writing.strategies.write_func import FileWriter

IMG = np.arange(6).reshape(2, 3)
KNOWN: dict[str, Any] = {
    "axes": "YX",
    "metadata": None,
    "made_by": {"version": "1"},
    "overwrite": False,
}


def test_a_function_gets_what_it_names(tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []

    def named(file_path: Path, img: Any, axes: str, *, made_by: Any, level: int = 1) -> None:
        calls.append(dict(locals()))

    def anything(file_path: Path, img: Any, **others: Any) -> None:
        calls.append({"others": others})

    FileWriter(named, {"level": 2}).write(tmp_path / "a", IMG, **KNOWN)
    FileWriter(named, {"axes": "XY"}).write(tmp_path / "a", IMG, **KNOWN)
    FileWriter(anything, {"level": 2}).write(tmp_path / "a", IMG, **KNOWN)
    FileWriter(partial(named, level=5)).write(tmp_path / "a", IMG, **KNOWN)
    first, second, third, fourth = [
        {name: value for name, value in call.items() if name not in ("calls", "img")}
        for call in calls
    ]
    made_by = {"version": "1"}
    path = tmp_path / "a"
    assert first == {"file_path": path, "axes": "YX", "made_by": made_by, "level": 2}
    assert (second["axes"], second["level"]) == ("XY", 1)
    assert third == {"others": {"level": 2}}
    assert fourth["level"] == 5


def test_a_mock_is_called_as_documented(tmp_path: Path) -> None:
    mock = Mock()
    FileWriter(mock, {"compression": "zlib"}).write(tmp_path / "new" / "a.tif", IMG, **KNOWN)
    mock.assert_called_once_with(file_path=tmp_path / "new" / "a.tif", img=IMG, compression="zlib")
    assert (tmp_path / "new").is_dir()


@pytest.mark.parametrize(
    ("function", "kwargs"),
    [
        (lambda path, img: None, {}),
        (lambda file_path: None, {}),
        (lambda file_path, img, level: None, {}),
        (lambda file_path, img: None, {"level": 1}),
        (lambda file_path, img, /: None, {}),
    ],
)
def test_one_that_cannot_be_called_so_is_known_before(function: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError, match="cannot be called as") as caught:
        FileWriter(function, kwargs)
    assert "\n" not in str(caught.value)


def test_what_is_no_function() -> None:
    with pytest.raises(TypeError, match="write_func 'tiff' is no function"):
        FileWriter("tiff")  # type: ignore[arg-type]


def test_compiled_functions_are_called_as_they_are(tmp_path: Path) -> None:
    taken: dict[str, Any] = {}

    class Compiled:
        __signature__ = 0

        def __call__(self, **given: Any) -> None:
            taken.update(given)

    FileWriter(dict)
    FileWriter(Compiled(), {"level": 1}).write(tmp_path / "a", IMG, **KNOWN)
    assert taken.keys() == {"file_path", "img", "level"}
    assert (taken["file_path"], taken["level"]) == (tmp_path / "a", 1)
    assert taken["img"] is IMG


def test_what_was_there_is_left_after_an_error(tmp_path: Path) -> None:
    def failing(file_path: Path, img: Any) -> None:
        file_path.write_text("begun")
        raise OSError("disk gone")

    (tmp_path / "old").write_text("old")
    for name in ("old", "new"):
        with pytest.raises(OSError, match="disk gone"):
            FileWriter(failing).write(tmp_path / name, IMG, **KNOWN)
    assert [entry.name for entry in tmp_path.iterdir()] == ["old"]
