from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_tessera.models.bioimageio.axes import Layout
from napari_tessera.models.bioimageio.axes_05 import read_axes
from napari_tessera.models.bioimageio.fields import DescriptionError, Field
from napari_tessera.models.bioimageio.package_files import FolderFiles
from napari_tessera.models.bioimageio.packaged_tensors import read_shape, read_tensor

Make = dict[str, Callable[..., Any]]


@pytest.fixture
def layout(make: Make) -> Callable[[str], Layout]:
    return lambda order: read_axes(Field("axes", make["axes_05"](order)), "raw", {})


@pytest.mark.parametrize(
    ("order", "shape", "standard"),
    [
        ("bcyx", (2, 1, 4, 5), (2, 1, 4, 5)),
        ("byxc", (2, 4, 5, 1), (2, 1, 4, 5)),
        ("xy", (5, 4), (1, 1, 4, 5)),
        ("tzyx", (1, 3, 4, 5), (1, 1, 3, 4, 5)),
    ],
)
@pytest.mark.parametrize("as_stored", ["C", "F"])
def test_arrays_come_in_the_standard_order(
    tmp_path: Path,
    make: Make,
    layout: Callable[[str], Layout],
    order: str,
    shape: tuple[int, ...],
    standard: tuple[int, ...],
    as_stored: Any,
) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    (tmp_path / "a.npy").write_bytes(make["npy"](np.array(array, order=as_stored)))
    files = FolderFiles(tmp_path, "rdf.yaml")
    assert read_shape(files, "a.npy") == shape
    found = read_tensor(files, "a.npy", layout(order))
    assert found.shape == standard
    assert found.dtype == np.uint16
    # one pixel, to tell a permutation from a reshape
    index = {"b": 0, "c": 0, "t": 0, "z": 2, "y": 3, "x": 1}
    wanted = array[tuple(index[axis] for axis in order)]
    assert found[(0, 0, *((2,) if len(standard) == 5 else ()), 3, 1)] == wanted


def test_arrays_that_are_not_read(
    tmp_path: Path, make: Make, layout: Callable[[str], Layout]
) -> None:
    mark = tmp_path / "mark"

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {mark}",)

    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 4194304, 4194304), }\n"
    huge = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    whole = make["npy"](np.ones((1, 1, 4, 4), np.float32))
    objects = io.BytesIO()
    np.save(objects, np.array([[[[Attack()]]]], dtype=object), allow_pickle=True)
    cases = {
        objects.getvalue(): "holds object, and only numbers are read",
        pickle.dumps(Attack()): "no array of numbers",
        huge: "is damaged",
        whole[:-4]: "is damaged",
        whole + b"1234": "is damaged",
        whole[:20]: "no array of numbers",
        b"": "no array of numbers",
        make["npy"](np.array([[[["text"]]]])): "only numbers are read",
        make["npy"](np.ones((1, 1, 4, 4), np.complex64)): "holds complex64",
        make["npy"](np.ones((1, 0, 4, 4))): "is damaged",
        make["npy"](np.ones((4, 4))): "has 2 axes, not 4",
        b"\x93NUMPY\x01\x00\x60\x00" + b"(" * 0x60: "no array of numbers",
    }
    for content, says in cases.items():
        (tmp_path / "a.npy").write_bytes(content)
        with pytest.raises(DescriptionError, match=says):
            read_tensor(FolderFiles(tmp_path, "rdf.yaml"), "a.npy", layout("bcyx"))
    assert not mark.exists()
    (tmp_path / "a.npy").write_bytes(make["npy"](np.ones((1, 2, 1, 4, 4))))
    with pytest.raises(DescriptionError, match="has 2 entries along 'time', not 1"):
        read_tensor(FolderFiles(tmp_path, "rdf.yaml"), "a.npy", layout("btcyx"))


@pytest.mark.parametrize("shape", ["(True, 4)", f"({'1, ' * 200}4)"])
def test_shapes_that_numpy_does_not_take(tmp_path: Path, make: Make, shape: str) -> None:
    content = make["npy"](np.arange(4, dtype=np.uint8))
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    (tmp_path / "a.npy").write_bytes(
        content[:8] + struct.pack("<H", len(header)) + header + bytes(4)
    )
    with pytest.raises(DescriptionError, match=r"'a\.npy' is damaged"):
        read_shape(FolderFiles(tmp_path, "rdf.yaml"), "a.npy")


def test_headers_of_python_2_say_nothing(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4L,), }"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(4)
    (tmp_path / "a.npy").write_bytes(content)
    assert read_shape(FolderFiles(tmp_path, "rdf.yaml"), "a.npy") == (4,)
