from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_tessera.stacks import StackReadError, open_stack
from napari_tessera.stacks.npy import NpyStack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.save(tmp_path / "image.npy", np.arange(1, 7 * 20 * 22 + 1).reshape(7, 20, 22))
    return tmp_path / "image.npy"


def test_axes_are_guessed_and_the_file_is_the_origin(path: Path) -> None:
    with open_stack(path) as stack:
        assert isinstance(stack, NpyStack)
        assert stack.original_axes == "ZYX"
        assert stack.origins == (path.resolve(),)
        assert stack.source == str(path.resolve())
    assert stack.origins == (path.resolve(),)
    assert stack.chunks is None


def test_a_file_that_is_cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StackReadError, match=r"image.npy cannot be opened as NumPy file: Value"):
        open_stack(path)


def test_objects_are_not_unpickled(path: Path) -> None:
    np.save(path, np.array([[{}]]), allow_pickle=True)
    with pytest.raises(StackReadError, match="cannot be opened as NumPy file: ValueError"):
        open_stack(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.npy"):
        NpyStack(tmp_path / "nothing.npy")


def test_it_has_no_levels(path: Path) -> None:
    with pytest.raises(ValueError, match="is one array without levels; use level 0"):
        open_stack(path, level=1)
