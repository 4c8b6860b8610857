"""ND2 files, by bioio's reader for them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from napari_tessera import open_stack
from napari_tessera.stacks import StackReadError
from napari_tessera.stacks.bioio.stack import BioioStack
from napari_tessera.testing import check_closes, check_image_stack

from .bioio_files import Array, random_image
from .nd2_files import write_nd2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cells.nd2"


def write(path: Path, *shape: int, dtype: str = "uint16") -> Array:
    """Write an image (T, Z, Y, X, C)."""
    image = random_image(*shape, dtype=dtype)
    names = [f"dye {number}" for number in range(shape[-1])]
    write_nd2(path, image, names, pixel=0.25, plane=1.5, milliseconds=500.0)
    return image


def test_an_nd2_conforms(path: Path) -> None:
    image = write(path, 3, 4, 40, 50, 2)
    with BioioStack(path) as stack:
        assert stack.source == str(path)
        assert stack.original_axes == "TZCYX"
        assert stack.metadata.scale == (0.5, 1.5, 1.0, 0.25, 0.25)
        assert stack.metadata.units == ("second", "micrometer", None, "micrometer", "micrometer")
        assert stack.metadata.channel_names == ("dye 0", "dye 1")
        assert stack.origins == (path,)
        check_image_stack(stack, image.transpose(0, 1, 4, 2, 3))
    check_closes(partial(open_stack, path))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_one_plane_of_an_nd2(path: Path, dtype: str) -> None:
    image = write(path, 1, 1, 40, 50, 1, dtype=dtype)
    with open_stack(path, "YX") as stack:
        check_image_stack(stack, image[0, 0, :, :, 0])


def test_an_nd2_that_is_cut_off_is_named(path: Path) -> None:
    write(path, 3, 4, 40, 50, 2)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StackReadError, match=r"cells\.nd2 cannot be opened: ") as caught:
        BioioStack(path)
    assert "\n" not in str(caught.value)


def test_an_nd2_that_is_cut_off_while_open_is_not_read_as_zeros(path: Path) -> None:
    image = write(path, 3, 4, 40, 50, 2)
    with BioioStack(path) as stack:
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(StackReadError, match=r"cells\.nd2 cannot be read at T=2"):
            stack.extract_patch(2, None, (3, 0, 0), (1, 40, 50))
    assert image.min() > 0
