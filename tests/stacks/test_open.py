from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera import open_stack
from napari_tessera.stacks import ArrayStack, SampleView, TiffStack, ZarrStack

from .conformance import check_image_stack


def test_chooses_by_content_and_not_by_suffix(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((20, 22)).astype(np.float32)
    tifffile.imwrite(tmp_path / "image.zarr", array)
    zarr.create_array(tmp_path / "image.tif", shape=array.shape, dtype=array.dtype)[...] = array
    for name, kind in (("image.zarr", TiffStack), ("image.tif", ZarrStack)):
        for source in (tmp_path / name, str(tmp_path / name)):
            with open_stack(source) as stack:
                assert isinstance(stack, kind)
                check_image_stack(stack, array, "YX")


@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
def test_knows_every_kind_of_tiff(start: bytes, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "byteorder": "<" if start[:1] == b"I" else ">",
        "bigtiff": b"+" in start,
    }
    path = tmp_path / "image"
    tifffile.imwrite(path, np.eye(8, dtype=np.uint16), **settings)
    assert path.read_bytes()[:4] == start
    with open_stack(path) as stack:
        check_image_stack(stack, np.eye(8, dtype=np.uint16), "YX")


def test_arrays_of_any_kind() -> None:
    array = np.random.default_rng(0).random((30, 20, 22))
    for source in (array, da.from_array(array, chunks=9)):
        with open_stack(source) as stack:
            check_image_stack(stack, array, "ZYX")
            assert stack.source == "array"
    with open_stack(array, "TYX") as stack:
        assert stack.data_shape == (30, 1, 20, 22)
    with pytest.raises(ValueError, match="an array has no level 1; use level 0"):
        open_stack(array, level=1)


def test_names_of_dimensions_count() -> None:
    class Labelled:
        dims = ("time", "y", "x")
        shape = (30, 20, 22)
        dtype = np.dtype("f4")

        def __getitem__(self, index: Any) -> Any:
            return np.zeros(self.shape, self.dtype)[index]

    with open_stack(Labelled()) as stack:
        assert stack.original_axes == "TYX"


def test_a_stack_is_given_back_as_it_is() -> None:
    stack = ArrayStack(np.zeros((3, 20, 22)), "CYX", source="mine")
    view = SampleView(stack, "C")
    assert open_stack(stack) is stack
    assert open_stack(stack, "CYX") is stack
    assert open_stack(view) is view
    with pytest.raises(ValueError, match="mine is open with axes CYX, not ZYX"):
        open_stack(stack, "ZYX")
    with pytest.raises(ValueError, match="mine is already open: choose channels and level where"):
        open_stack(stack, channels=[0])


@pytest.mark.parametrize("source", [None, 3, [1, 2], {"a": 1}, object(), "x" * 3 + "\n"])
def test_anything_else_is_refused_in_one_line(source: Any) -> None:
    error_type = FileNotFoundError if isinstance(source, str) else ValueError
    with pytest.raises(error_type) as error:
        open_stack(source)
    if not isinstance(source, str):
        assert repr(source) in str(error.value)
        assert "pass a TIFF file, a folder or pattern of them" in str(error.value)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(ValueError, match=r"…") as error:
        open_stack(list(range(1000)))
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "is a PNG file"),
        (b"\xff\xd8\xff\xe0", "is a JPEG file"),
        (b"PK\3\4", "is a ZIP file"),
    ],
)
def test_other_files_are_refused_by_name(content: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"image\.tif {name}.*pass a TIFF file, a folder or"):
        open_stack(path)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.tif does not exist"):
        open_stack(tmp_path / "none.tif")
    with pytest.raises(ValueError, match="is a folder without TIFF files, and no Zarr"):
        open_stack(tmp_path)


def test_reading_images_needs_neither_torch_nor_qt_nor_napari() -> None:
    code = (
        "import sys, napari_tessera.stacks; "
        "print([m for m in ('torch', 'napari', 'qtpy', 'magicgui') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
