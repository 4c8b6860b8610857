"""Files that an HDF5 dataset has pixels in, and which are lost: never zeros in their place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from napari_tessera.stacks import StackReadError
from napari_tessera.stacks.hdf5 import others as hdf5_others
from napari_tessera.stacks.hdf5.stack import HDF5Stack
from napari_tessera.testing import check_image_stack

from .hdf5_files import Array, random_image, store

SHAPE = (40, 50)
needs_unlink = pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "image.h5"


def virtual(path: Path, *sources: tuple[str, str], name: str = "virtual") -> None:
    """Write a virtual dataset with a plane out of each source, of file and dataset."""
    layout = h5py.VirtualLayout((len(sources), *SHAPE), "uint16")
    for plane, source in enumerate(sources):
        layout[plane] = h5py.VirtualSource(*source, shape=SHAPE)
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset(name, layout)


def series(path: Path, file_name: bytes, name: bytes) -> None:
    """Write a virtual dataset with a plane out of each of a numbered series of sources."""
    endless = h5py.h5s.UNLIMITED
    space = h5py.h5s.create_simple((1, *SHAPE), (endless, *SHAPE))
    space.select_hyperslab((0, 0, 0), (endless, 1, 1), (1, 1, 1), (1, *SHAPE))
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_virtual(space, file_name, name, h5py.h5s.create_simple(SHAPE))
    with h5py.File(path, "a") as file:
        h5py.h5d.create(file.id, b"virtual", h5py.h5t.NATIVE_UINT16, space, settings)


def plane(stack: HDF5Stack, z: int) -> Array:
    return stack.extract_patch(0, None, (z, 0, 0), (1, *SHAPE))[0, 0]


def opening_fails(path: Path, lost: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        HDF5Stack(path, "virtual")
    expected = f"{path}#/virtual has pixels in {lost}, which does not exist: put "
    assert str(caught.value).startswith(expected)


@needs_unlink
@pytest.mark.parametrize("read_before", [False, True])
def test_a_source_removed_while_open_is_named(
    tmp_path: Path, path: Path, read_before: bool
) -> None:
    images = [store(tmp_path / f"part{i}.h5", random_image(*SHAPE) + i) for i in range(2)]
    virtual(path, ("part0.h5", "image"), ("part1.h5", "image"))
    with HDF5Stack(path, "virtual", "ZYX") as stack:
        if read_before:
            check_image_stack(stack, np.stack(images))
        (tmp_path / "part1.h5").unlink()
        np.testing.assert_array_equal(plane(stack, 0), images[0])
        with pytest.raises(StackReadError) as caught:
            plane(stack, 1)
        assert str(caught.value) == (
            f"{path}#/virtual cannot be read at Z=1…1 Y=0…39 X=0…49: {tmp_path / 'part1.h5'}, "
            "which holds pixels of it, does not exist any more: put it back, and open the image "
            "again"
        )


@needs_unlink
def test_a_source_that_is_replaced_or_cut_off_is_named(tmp_path: Path, path: Path) -> None:
    source = tmp_path / "part.h5"
    image = store(source, random_image(*SHAPE))
    shutil.copy(source, tmp_path / "copy.h5")
    virtual(path, ("part.h5", "image"))
    with HDF5Stack(path, "virtual", "ZYX") as stack:
        np.testing.assert_array_equal(plane(stack, 0), image)
        os.replace(tmp_path / "copy.h5", source)
        with pytest.raises(StackReadError, match=r"part\.h5, which .* was replaced: open the im"):
            plane(stack, 0)
    with HDF5Stack(path, "virtual", "ZYX") as stack:
        size = source.stat().st_size
        os.truncate(source, size // 2)
        with pytest.raises(StackReadError, match=rf"part\.h5, .* {size} bytes .* {size // 2}$"):
            plane(stack, 0)


def test_a_source_without_the_dataset_is_named(tmp_path: Path, path: Path) -> None:
    store(tmp_path / "part.h5", random_image(*SHAPE), "other")
    with h5py.File(tmp_path / "part.h5", "a") as file:
        file.create_group("group")
    virtual(path, ("part.h5", "/image"))
    opening_fails(path, f"{tmp_path / 'part.h5'}#/image")
    path.unlink()
    virtual(path, ("part.h5", "group"))
    opening_fails(path, f"{tmp_path / 'part.h5'}#/group")


def test_a_source_of_a_source_that_is_missing_is_named(tmp_path: Path, path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    image = store(folder / "leaf.h5", random_image(*SHAPE))
    virtual(folder / "middle.h5", ("leaf.h5", "image"))
    layout = h5py.VirtualLayout((1, *SHAPE), "uint16")
    layout[:] = h5py.VirtualSource("inner/middle.h5", "virtual", shape=(1, *SHAPE))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("virtual", layout)
    with HDF5Stack(path, "virtual", "ZYX") as stack:
        np.testing.assert_array_equal(plane(stack, 0), image)
        assert stack.origins == (path, folder / "middle.h5", folder / "leaf.h5")
    if os.name != "nt":
        with HDF5Stack(path, "virtual", "ZYX") as stack:
            (folder / "leaf.h5").rename(folder / "away.h5")
            with pytest.raises(StackReadError, match=r"leaf\.h5, which .* does not exist any more"):
                plane(stack, 0)
        (folder / "away.h5").rename(folder / "leaf.h5")
    (folder / "leaf.h5").unlink()
    opening_fails(path, str(folder / "leaf.h5"))


def test_a_deleted_dataset_of_its_own_file_is_named(path: Path) -> None:
    image = store(path, random_image(*SHAPE))
    virtual(path, (".", "image"))
    with HDF5Stack(path, "virtual", "ZYX") as stack:
        assert stack.origins == (path,)
        np.testing.assert_array_equal(plane(stack, 0), image)
        if os.name != "nt":
            path.rename(path.with_name("away.h5"))
            np.testing.assert_array_equal(plane(stack, 0), image)
            path.with_name("away.h5").rename(path)
    with h5py.File(path, "a") as file:
        del file["image"]
    opening_fails(path, f"{path}#/image")


def test_a_dataset_that_is_its_own_source_does_not_go_round_for_ever(path: Path) -> None:
    virtual(path, (".", "other"))
    virtual(path, (".", "virtual"), name="other")
    with HDF5Stack(path, "virtual", "ZYX") as stack:
        assert stack.origins == (path,)


@needs_unlink
def test_external_storage_cut_off_or_removed_while_open_is_named(
    tmp_path: Path, path: Path
) -> None:
    raw = random_image(*SHAPE)
    raw.tofile(tmp_path / "raw.bin")
    unlimited = h5py.h5f.UNLIMITED
    for name, size in (("sized", raw.nbytes), ("open", unlimited), ("long", 2 * raw.nbytes)):
        with h5py.File(path, "a") as file:
            # relative to where the program runs for HDF5, beside the file for people
            file.create_dataset(name, SHAPE, "uint16", external=[("raw.bin", 0, size)])
        with HDF5Stack(path, name) as stack:
            check_image_stack(stack, raw)
    with HDF5Stack(path, "sized") as stack:
        os.truncate(tmp_path / "raw.bin", 3000)
        with pytest.raises(StackReadError) as caught:
            stack.extract_patch(0, None, (0, 0), SHAPE)
        assert str(caught.value) == (
            f"{path}#/sized cannot be read at Y=0…39 X=0…49: {tmp_path / 'raw.bin'}, which holds "
            "pixels of it, had 4000 bytes when it was opened, now it has 3000"
        )
        (tmp_path / "raw.bin").unlink()
        with pytest.raises(
            StackReadError, match=r"raw\.bin, which .* does not exist any more: put it back"
        ):
            stack.extract_patch(0, None, (0, 0), SHAPE)
    (tmp_path / "raw.bin").write_bytes(bytes(3000))
    for name in ("open", "long"):
        with pytest.raises(StackReadError, match=r"should end at byte 4000, .* at byte 3000$"):
            HDF5Stack(path, name)


@needs_unlink
@pytest.mark.parametrize(
    ("file_name", "name"), [("part%b.h5", "image"), ("part.h5", "image%b"), ("p%%%b.h5", "i%%")]
)
def test_every_source_of_a_numbered_series_is_looked_for(
    tmp_path: Path, path: Path, file_name: str, name: str
) -> None:
    def numbered(text: str, number: int) -> str:
        return text.replace("%b", str(number)).replace("%%", "%")

    images = [
        store(tmp_path / numbered(file_name, i), random_image(*SHAPE) + i, numbered(name, i))
        for i in range(3)
    ]
    series(path, file_name.encode(), name.encode())
    with HDF5Stack(path, "virtual", "ZYX") as stack:
        assert stack.original_data_shape == (3, *SHAPE)
        (tmp_path / numbered(file_name, 1)).rename(tmp_path / "away.h5")
        if "%b" in file_name:
            np.testing.assert_array_equal(plane(stack, 2), images[2])
        with pytest.raises(StackReadError, match="does not exist any more"):
            plane(stack, 1)


@needs_unlink
def test_parts_beyond_those_checked_at_opening_are_checked_when_read(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5_others, "_MOST_CHECKED_AT_OPENING", 2)
    monkeypatch.setattr(hdf5_others, "_MOST_HELD", 1)
    images = [store(tmp_path / f"part{i}.h5", random_image(*SHAPE) + i) for i in range(4)]
    store(tmp_path / "part4.h5", images[0], "other")
    virtual(path, *((f"part{i}.h5", "image") for i in range(5)))
    opened = {path, tmp_path / "part0.h5"}
    with HDF5Stack(path, "virtual", "ZYX") as stack:
        found = {Path(file.path) for file in psutil.Process().open_files()}
        assert {name for name in found if name.parent == tmp_path} == opened
        for z in range(4):
            np.testing.assert_array_equal(plane(stack, z), images[z])
        with pytest.raises(StackReadError) as caught:
            plane(stack, 4)
        assert f"{tmp_path / 'part4.h5'}#/image, which does not exist" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not {Path(f.path) for f in psutil.Process().open_files()} & opened


def test_a_source_that_is_damaged_is_named(tmp_path: Path, path: Path) -> None:
    (tmp_path / "part.h5").write_bytes(b"no image at all" * 100)
    virtual(path, ("part.h5", "image"))
    with pytest.raises(StackReadError) as caught:
        HDF5Stack(path, "virtual")
    assert str(caught.value) == (
        f"{path}#/virtual has pixels in another file: {tmp_path / 'part.h5'} is not an HDF5 file"
    )
