"""Finding the dataset that a person means, and saying what is wrong with a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_tessera.stacks import StackReadError
from napari_tessera.stacks.hdf5.stack import HDF5Stack

from .hdf5_files import damage, random_image, store

WRITE = """
import sys, h5py
file = h5py.File(sys.argv[1], "w", libver=sys.argv[2] or None)
image = file.create_dataset("image", data=[[[1, 2]]], maxshape=(None, 1, 2))
if sys.argv[3]:
    file.swmr_mode = True
file.flush()
print("ready", flush=True)
sys.stdin.readline()
image.resize(2, axis=0)
image[1] = 5
file.flush()
print("longer", flush=True)
sys.stdin.readline()
"""


@contextmanager
def writer(path: Path, version: str, swmr: str) -> Iterator[subprocess.Popen[str]]:
    """Another program that has a file open for writing."""
    program = subprocess.Popen(
        [sys.executable, "-c", WRITE, path, version, swmr],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    with program:
        try:
            assert program.stdout.readline() == "ready\n"
            yield program
        finally:
            program.kill()


def failure(path: Path) -> str | None:
    """What opening and reading a file says, where it does not go well."""
    try:
        with HDF5Stack(path, "image") as stack:
            stack.extract_patch(0, None, (0, 0), (40, 50))
    except (ValueError, OSError) as error:
        return str(error)
    return None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "image.h5"


def test_the_only_image_is_found_wherever_it_is(path: Path) -> None:
    store(path, random_image(40, 50), "measured/raw/data")
    with h5py.File(path, "a") as file:
        file["measured/times"] = np.arange(40)
        file["measured/names"] = [["a"], ["b"]]
        file["measured/void"] = np.zeros((0, 3))
        file["measured/raw/again"] = file["measured/raw/data"]
        file["measured/raw/circle"] = h5py.SoftLink("/measured")
        file["broken"] = h5py.SoftLink("/nowhere")
        file["elsewhere"] = h5py.ExternalLink("nowhere.h5", "/image")
    for name in (None, "", "/", "measured", "/measured/raw/"):
        with HDF5Stack(path, name) as stack:
            # two names of one dataset are one image; the first is taken
            assert stack.source == f"{path}#/measured/raw/again"
    with HDF5Stack(path, "measured/raw/data") as stack:
        assert stack.source == f"{path}#/measured/raw/data"


def test_several_images_are_listed_the_largest_first(path: Path) -> None:
    store(path, random_image(4, 5), "small")
    store(path, random_image(3, 40, 50), "group/large")
    with pytest.raises(ValueError) as caught:
        HDF5Stack(path)
    assert str(caught.value) == (
        f"{path} holds 2 images; name one of its datasets, e.g. {path}#/group/large; it holds "
        "/group/large (3×40×50 uint16), /small (4×5 uint16)"
    )
    store(path, random_image(4, 5), "group/other")
    with pytest.raises(ValueError, match=r"#/group holds 2 images; name one .*e.g. .*#/group/la"):
        HDF5Stack(path, "group")


def test_a_long_list_is_cut(path: Path) -> None:
    for number in range(12):
        store(path, random_image(4, 5), f"plane{number:02}")
    with pytest.raises(ValueError, match=r"holds 12 images; .*/plane07 \(4×5 uint16\), …$"):
        HDF5Stack(path)


def test_a_file_without_images_says_what_it_holds(path: Path) -> None:
    h5py.File(path, "w").close()
    with pytest.raises(ValueError, match=r"holds no image \(numbers along two axes or more\); "):
        HDF5Stack(path)
    with h5py.File(path, "a") as file:
        file["text"] = "abc"
        file["table"] = np.zeros(3, [("x", "f4")])
        file["none"] = h5py.Empty("f4")
    with pytest.raises(ValueError) as caught:
        HDF5Stack(path)
    assert str(caught.value).endswith(
        "it holds /none (empty), /table (3 compound), /text (scalar text)"
    )


def test_a_missing_dataset_is_named_with_what_is_there(path: Path) -> None:
    store(path, random_image(40, 50), "group/image")
    for name in ("grup/image", "group/image/deeper"):
        with pytest.raises(FileNotFoundError) as caught:
            HDF5Stack(path, name)
        assert str(caught.value) == (
            f"{path} has no '/{name}'; name one of its datasets, e.g. {path}#/group/image; it "
            "holds /group/image (40×50 uint16)"
        )


def test_a_broken_link_is_named(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["soft"] = h5py.SoftLink("/nowhere")
        file["hard"] = h5py.ExternalLink("nowhere.h5", "/image")
        file["type"] = np.dtype("f4")
    for name in ("soft", "hard"):
        with pytest.raises(FileNotFoundError, match=f"#/{name} is a link to something that is not"):
            HDF5Stack(path, name)
    with pytest.raises(ValueError, match="#/type is a data type, not an image; it holds no"):
        HDF5Stack(path, "type")


def test_files_that_cannot_be_opened(tmp_path: Path, path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"image\.h5 does not exist: look at"):
        HDF5Stack(path)
    with pytest.raises(IsADirectoryError, match="is a folder, not an HDF5 file"):
        HDF5Stack(tmp_path)
    path.write_bytes(b"no image at all" * 100)
    with pytest.raises(StackReadError, match=r"image\.h5 is not an HDF5 file$"):
        HDF5Stack(path)


def test_a_file_that_is_cut_off_says_so(path: Path) -> None:
    store(path, random_image(40, 50))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StackReadError) as caught:
        HDF5Stack(path)
    assert str(caught.value) == (
        f"{path} is cut off: HDF5 should end at byte {len(content)}, the file ends at byte "
        f"{len(content) // 2}; copy it again"
    )


def test_damaged_structures_are_one_line(path: Path) -> None:
    store(path, random_image(40, 50))
    size = path.stat().st_size
    content = path.read_bytes()
    for at in range(8, 2048, 40):
        path.write_bytes(content)
        damage(path, at, min(40, size - at))
        message = failure(path)
        assert message is None or str(path) in message
        assert message is None or "\n" not in message


def test_a_file_open_for_writing_elsewhere_is_named(path: Path) -> None:
    with writer(path, "", ""), pytest.raises(StackReadError) as caught:
        HDF5Stack(path)
    assert str(caught.value) == (f"{path} is open for writing in another program: close it there")
    with writer(path, "latest", ""):
        pass
    with pytest.raises(StackReadError, match=r"or was when that one crashed: .* h5clear -s$"):
        HDF5Stack(path)


def test_a_file_that_is_being_written_in_swmr_mode_is_read(path: Path) -> None:
    with writer(path, "latest", "swmr") as program, HDF5Stack(path) as stack:
        assert program.stdin is not None
        assert program.stdout is not None
        assert stack.original_data_shape == (1, 1, 2)
        program.stdin.write("go\n")
        program.stdin.flush()
        assert program.stdout.readline() == "longer\n"
        assert stack.extract_patch(0, None, (0, 0, 0), (2, 1, 2)).tolist() == [[[[1, 2]], [[0, 0]]]]


def test_a_file_open_for_writing_in_this_process_is_read(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["image"] = random_image(40, 50)
        with HDF5Stack(path) as stack:
            assert stack.extract_patch(0, None, (0, 0), (1, 1)).item() == file["image"][0, 0]
        file["image"][0, 0] = 3
