"""What HDF5 would wait for, or read without end, is refused before HDF5 opens it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_tessera.stacks import StackReadError
from napari_tessera.stacks.hdf5.links import find_source
from napari_tessera.stacks.hdf5.stack import HDF5Stack

from .hdf5_files import random_image, store

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have names on Unix only")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "image.h5"


def refused(path: Path, name: str | None = None, by: Path | None = None) -> str:
    """What is said of a file that refers to a pipe."""
    with pytest.raises(StackReadError) as caught:
        HDF5Stack(path, name)
    message = str(caught.value)
    assert f"{by or path} refers to " in message
    assert "which is no regular file" in message
    return message


def direct(file: h5py.File, target: str) -> None:
    file["a"] = h5py.ExternalLink(target, "/image")


def by_soft_link(file: h5py.File, target: str) -> None:
    file["group/link"] = h5py.ExternalLink(target, "/image")
    file["a"] = h5py.SoftLink("/group/link")


def below_a_group(file: h5py.File, target: str) -> None:
    file["a"] = h5py.SoftLink("elsewhere/image")
    file["elsewhere"] = h5py.ExternalLink(target, "/")


def virtual(file: h5py.File, target: str) -> None:
    layout = h5py.VirtualLayout((4, 5), "u2")
    layout[:] = h5py.VirtualSource(target, "image", (4, 5))
    file.create_virtual_dataset("a", layout)


def without_end(file: h5py.File, target: str) -> None:
    space = h5py.h5s.create_simple((0, 4), (h5py.h5s.UNLIMITED, 4))
    space.select_hyperslab((0, 0), (h5py.h5s.UNLIMITED, 1), (1, 1), (1, 4))
    source = h5py.h5s.create_simple((1, 4), (h5py.h5s.UNLIMITED, 4))
    source.select_hyperslab((0, 0), (h5py.h5s.UNLIMITED, 1), (1, 1), (1, 4))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_virtual(space, target.encode(), b"image", source)
    h5py.h5d.create(file.id, b"a", h5py.h5t.STD_U16LE, space, properties).close()


def storage(file: h5py.File, target: str) -> None:
    file.create_dataset("a", (4, 5), "u2", external=[(target, 0, 40)])


@pytest.mark.parametrize("device", [False, True], ids=["pipe", "device"])
@pytest.mark.parametrize(
    "refer", [direct, by_soft_link, below_a_group, virtual, without_end, storage]
)
def test_pipes_and_devices_are_not_opened(
    path: Path, refer: Callable[[h5py.File, str], None], device: bool
) -> None:
    target = os.devnull if device else str(path.with_name("pipe"))
    with h5py.File(path, "w") as file:
        refer(file, target)
    assert target in refused(path, "a")
    assert target in refused(path)


def test_beside_an_image_a_link_to_a_pipe_is_left_out(path: Path) -> None:
    image = store(path, random_image(4, 5), "b")
    with h5py.File(path, "a") as file:
        direct(file, "pipe")
        file["group/link"] = h5py.ExternalLink("pipe", "/image")
    with HDF5Stack(path) as stack:
        assert stack.source.endswith("#/b")
        assert np.array_equal(stack.extract_patch(0, None, (0, 0), (4, 5))[0], image)
    with pytest.raises(FileNotFoundError, match=r"has no '/c'; name one of its datasets"):
        HDF5Stack(path, "c")


def test_a_link_of_a_linked_file_is_looked_at(path: Path) -> None:
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        direct(file, "pipe")
    with h5py.File(path, "w") as file:
        file["a"] = h5py.ExternalLink("other.h5", "/a")
    refused(path, "a", by=other)


def test_a_pipe_in_the_way_of_a_source_elsewhere_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = path.parent / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    store(folder / "pipe", random_image(4, 5))
    with h5py.File(path, "w") as file:
        virtual(file, "pipe")
    refused(path)


def test_levels_of_an_imaris_image_are_looked_at(path: Path) -> None:
    store(path, random_image(2, 4, 5), "DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data")
    with h5py.File(path, "a") as file:
        file["DataSet/ResolutionLevel 1"] = h5py.ExternalLink("pipe", "/image")
        file["DataSetInfo/Image"] = h5py.ExternalLink("pipe", "/")
    with pytest.raises(StackReadError, match="which is no regular file"):
        HDF5Stack(path, level=1)
    with pytest.raises(StackReadError, match="which is no regular file"):
        HDF5Stack(path)


def test_links_that_lead_round_in_circles_end(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = h5py.SoftLink("/b")
        file["b"] = h5py.ExternalLink(path.name, "/a")
    with pytest.raises((FileNotFoundError, StackReadError), match="#/a "):
        HDF5Stack(path, "a")


def test_a_moved_source_is_found_where_hdf5_finds_it(path: Path) -> None:
    image = store(path.with_name("source.h5"), random_image(4, 5))
    with h5py.File(path, "w") as file:
        virtual(file, "/nowhere/source.h5")
        assert np.array_equal(file["a"][:], image)
    assert find_source(path, "/nowhere/source.h5") == path.with_name("source.h5")
    with HDF5Stack(path) as stack:
        assert np.array_equal(stack.extract_patch(0, None, (0, 0), (4, 5))[0], image)
