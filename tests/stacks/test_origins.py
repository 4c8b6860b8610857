"""Every way to hand over an image whose pixels stay on disk says where they are."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from zarr.storage import FsspecStore, LocalStore, LoggingStore, MemoryStore, ZipStore

from napari_tessera.stacks import ArrayStack, SampleView, open_stack, read_origins
from napari_tessera.stacks.origins import find_origins

PIXELS = np.random.default_rng(0).integers(1, 4000, (4, 24, 32)).astype(np.uint16)
NAMES = ["in.zarr", "50% done.zarr", "in%41.zarr", "cells#2.zarr", "a::b.zarr", "what?.zarr"]


@pytest.fixture(params=NAMES)
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / request.param
    group = zarr.open_group(LocalStore(path), mode="w")
    group.create_array("raw", data=PIXELS, chunks=(1, 12, 16))
    return path


class Lazy:
    """A reader's own array: anything with shape, dtype and slicing."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self.shape, self.dtype = PIXELS.shape, PIXELS.dtype
        self._read = read

    def __getitem__(self, index: Any) -> Any:
        return self._read(index)


def test_an_open_array(store: Path) -> None:
    array = zarr.open_array(LocalStore(store), path="raw", mode="r")
    with open_stack(array, "ZYX") as stack:
        assert stack.source == str(store / "raw")
        assert read_origins(stack) == (store / "raw",)
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0, 0), PIXELS.shape)[0],
                                      PIXELS)  # fmt: skip


def test_a_path_or_url_as_it_is_written(store: Path) -> None:
    for named in (store / "raw", str(store), f"file://{store}/raw", (store / "raw").as_uri()):
        with open_stack(named) as stack:
            assert stack.source == str(store / "raw")
            assert read_origins(stack) == (store / "raw",)


def test_a_path_that_was_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    zarr.create_array("in.zarr", data=PIXELS)
    with open_stack(zarr.open("in.zarr")) as stack:
        assert stack.source == str(tmp_path / "in.zarr")
        assert read_origins(stack) == (tmp_path / "in.zarr",)


@pytest.mark.parametrize(
    "lazy",
    [
        lambda array: da.from_array(array),
        lambda array: (da.from_array(array, inline_array=True) + 1)[1:, ::2].rechunk(7),
        lambda array: da.stack([da.from_array(array)[z] for z in range(4)]).astype("f4"),
        lambda array: da.from_delayed(dask.delayed(lambda: array[:])(), (4, 24, 32), "u2"),
        lambda array: Lazy(lambda index: array[index]),
        lambda array: Lazy(array.__getitem__),
    ],
    ids=["dask", "computed", "stacked", "delayed", "closure", "method"],
)
def test_what_wraps_a_zarr_array(store: Path, lazy: Callable[[Any], Any]) -> None:
    array = zarr.open_array(LocalStore(store), path="raw", mode="r")
    with open_stack(lazy(array), "ZYX") as stack:
        assert store / "raw" in read_origins(stack)


def test_dask_of_paths(store: Path) -> None:
    if "::" in store.name:
        pytest.skip("dask takes it for a chain of URLs")
    with open_stack(da.from_zarr(str(store), "raw"), "ZYX") as stack:
        assert read_origins(stack) == (store / "raw",)
    planes = [
        da.from_delayed(dask.delayed(tifffile.imread)(str(store.with_suffix(f".{z}.tif"))),
                        (24, 32), "u2")
        for z in range(600)
    ]  # fmt: skip
    with open_stack(da.stack(planes), "ZYX") as stack:
        assert store.with_suffix(".599.tif") in read_origins(stack)


def test_stores(tmp_path: Path) -> None:
    path = tmp_path / "in.zarr"
    zarr.create_array(path, data=PIXELS)
    logged = zarr.open_array(LoggingStore(LocalStore(path), log_level="ERROR"), mode="r")
    assert find_origins(logged) == (path,)
    remote = zarr.open_array(FsspecStore.from_url(f"file://{path}"), mode="r")
    assert find_origins(remote) == (path,)
    with ZipStore(tmp_path / "in.zip", mode="w") as zipped:
        assert find_origins(zarr.create_array(zipped, data=PIXELS)) == (tmp_path / "in.zip",)
    assert find_origins(zarr.create_array(MemoryStore(), data=PIXELS)) == ()
    assert find_origins(zarr.create_array(FsspecStore.from_url("memory://a"), data=PIXELS)) == ()


def test_mapped_files_and_views_of_them(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    mapped = tifffile.memmap(path, shape=PIXELS.shape, dtype=PIXELS.dtype, photometric="minisblack")
    for array in (mapped, mapped[1:, ::2], np.asarray(mapped)[None]):
        assert find_origins(array) == (path,)


def test_tiff(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, PIXELS, photometric="minisblack")
    with open_stack(path) as stack:
        assert read_origins(stack) == (path,)
        assert read_origins(SampleView(stack, "Z")) == (path,)
    with tifffile.TiffFile(path) as file, open_stack(zarr.open(file.aszarr()), "ZYX") as stack:
        assert path in read_origins(stack)


def test_layers(store: Path) -> None:
    array = zarr.open_array(LocalStore(store), path="raw", mode="r")
    plain = {
        "name": "cells", "rgb": False, "multiscale": False, "scale": np.ones(3),
        "translate": np.zeros(3), "source": SimpleNamespace(path=None),
    }  # fmt: skip
    with open_stack(SimpleNamespace(**plain, data=da.from_array(array)), "ZYX") as stack:
        assert read_origins(stack) == (store / "raw",)
    levels = plain | {"multiscale": True, "data": [PIXELS, array]}
    with open_stack(SimpleNamespace(**levels), "ZYX") as stack:
        assert read_origins(stack) == (store / "raw",)
    opened = plain | {"source": SimpleNamespace(path=str(store)), "data": PIXELS}
    with open_stack(SimpleNamespace(**opened), "ZYX") as stack:
        assert read_origins(stack) == (store,)


def test_stacks_of_others(tmp_path: Path) -> None:
    class Own:
        source = str(tmp_path / "in.zarr" / "a")

        def __init__(self) -> None:
            self._file = (tmp_path / "raw.bin").open("wb")

    own = Own()
    found = read_origins(own)  # type: ignore[arg-type]  # only its attributes are looked at
    own._file.close()
    assert set(found) == {tmp_path / "in.zarr" / "a", tmp_path / "raw.bin"}


def test_memory_has_none_and_odd_things_do_no_harm() -> None:
    assert read_origins(ArrayStack(PIXELS, "ZYX")) == ()
    assert read_origins(ArrayStack(da.zeros((4, 8, 8)), "ZYX")) == ()
    held = Lazy(len)
    odd = SimpleNamespace(lock=threading.Lock(), me=None, gone=weakref.proxy(held), text="a\0.zarr")
    odd.me = odd
    del held
    assert find_origins(odd, 3, None, "cells", [odd] * 9) == ()


def test_datasets_of_h5py(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "in.h5"
    with h5py.File(path, "w") as file:
        file["raw"] = PIXELS
    with h5py.File(path, "r") as file:
        for source in (file["raw"], da.from_array(file["raw"])):
            assert read_origins(open_stack(source, "ZYX")) == (path,)
        dataset = file["raw"]
    assert find_origins(dataset) == ()
