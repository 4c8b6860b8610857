from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_tessera.stacks import StackReadError, open_stack
from napari_tessera.stacks.npy import NpyStack

from .conformance import check_image_stack


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
    message = r"image.npy cannot be opened as NumPy file: it is cut off: the file .*; copy it again"
    with pytest.raises(StackReadError, match=message):
        open_stack(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StackReadError, match=message):
        open_stack(path)


def test_objects_are_not_unpickled(path: Path) -> None:
    np.save(path, np.array([[{}]]), allow_pickle=True)
    with pytest.raises(StackReadError, match="NumPy file: it holds Python objects, which are not"):
        open_stack(path)


@pytest.mark.parametrize(
    ("there", "damaged"),
    [(b"'shape': (7,", b"'shape': f(7"), (b"(7, 20, 22)", b"(-7, 20, 2)"), (b"'<i", b"'?i")],
)
def test_a_header_that_describes_no_array(there: bytes, damaged: bytes, path: Path) -> None:
    content = path.read_bytes()
    assert there in content
    path.write_bytes(content.replace(there, damaged))
    with pytest.raises(StackReadError, match="NumPy file: its header does not describe an array: "):
        open_stack(path)


def test_an_archive_of_arrays_is_no_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "image.npz", a=np.zeros((3, 3)))
    with pytest.raises(StackReadError, match=r"an archive of arrays: save one array with numpy\."):
        NpyStack(tmp_path / "image.npz")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.npy"):
        NpyStack(tmp_path / "nothing.npy")


def test_it_has_no_levels(path: Path) -> None:
    with pytest.raises(ValueError, match="is one array without levels; use level 0"):
        open_stack(path, level=1)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<u2", ">f4", "?"])
def test_either_order_and_any_type(order: Any, dtype: str, tmp_path: Path) -> None:
    array = np.arange(1, 3 * 5 * 20 * 22 + 1).reshape(3, 5, 20, 22).astype(dtype)
    np.save(tmp_path / "image.npy", np.asarray(array, order=order))
    for axes in ("TZYX", "ZXYC", "XYST"):
        with open_stack(tmp_path / "image.npy", axes) as stack:
            check_image_stack(stack, array, axes)


def test_a_file_cut_off_or_replaced_while_it_is_open(path: Path) -> None:
    with open_stack(path) as stack:
        whole = stack.extract_patch(0, None, (0, 0, 0), (7, 20, 22))
        path.unlink()
        np.save(path, np.zeros((7, 20, 22)))
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0, 0), (7, 20, 22)), whole)
    with open_stack(path) as stack:
        os.truncate(path, 20_000)
        stack.extract_patch(0, None, (0, 0, 0), (1, 20, 22))
        message = (
            r"image\.npy cannot be read at Z=6…6 Y=0…4 X=0…21: OSError: cut off: \d+ bytes from"
        )
        with pytest.raises(StackReadError, match=message):
            stack.extract_patch(0, None, (6, 0, 0), (1, 5, 22))


def test_types_that_are_no_numbers(path: Path) -> None:
    np.save(path, np.zeros((4, 4), complex))
    with pytest.raises(ValueError, match="dtype complex128 cannot be denoised"):
        open_stack(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed in /proc")
def test_no_file_is_left_open(path: Path) -> None:
    def is_open() -> bool:
        gc.collect()
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return any(str(path) == os.readlink(link) for link in links if os.path.lexists(link))

    with open_stack(path):
        assert is_open()
    assert not is_open()
    stack = open_stack(path)
    del stack
    assert not is_open()
    with pytest.raises(ValueError, match="YX has 2 letters"):
        open_stack(path, "YX")
    assert not is_open()
