"""Dask arrays that are one Zarr array, and those that only begin with one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import zarr

from napari_tessera.stacks import LayerStack, StackReadError, ZarrStack, open_stack, read_origins
from napari_tessera.stacks.zarr.dask import behind_dask

from .zarr_files import check_pixels, random_image, read_whole, remove_chunk, store_array

PLAIN: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: da.from_zarr(str(path)),
    "array": lambda path: da.from_zarr(opened(path)),
    "in the graph": lambda path: da.from_zarr(opened(path), inline_array=True),
    "more than a chunk": lambda path: da.from_zarr(opened(path), chunks=(16, 24)),
    "from_array": lambda path: da.from_array(opened(path)),
    "without fancy": lambda path: da.from_array(opened(path), fancy=False),
    "a name": lambda path: da.from_array(opened(path), name="cells"),
    "all of it": lambda path: da.from_zarr(opened(path))[:, :],
}

CHANGED: dict[str, Callable[[Any], Any]] = {
    "arithmetic": lambda array: array + 1,
    "slice": lambda array: array[8:],
    "step": lambda array: array[:, ::2],
    "plane": lambda array: array[None, 3],
    "transposed": lambda array: array.T,
    "turned": lambda array: array[::-1],
    "rechunked": lambda array: array.rechunk((10, 10)),
    "type": lambda array: array.astype("f4"),
    "mapped": lambda array: array.map_blocks(np.negative, dtype="u2"),
    "two": lambda array: da.concatenate([array, array]),
    "chosen": lambda array: da.where(array > 9, array, 0),
    "in memory": lambda array: array.persist(),
    "optimized": lambda array: dask.optimize(array + 1)[0],
}


def opened(path: Path) -> zarr.Array[Any]:
    return zarr.open_array(path, mode="r")


def layer(data: Any) -> SimpleNamespace:
    scale, translate = np.ones(data.ndim), np.zeros(data.ndim)
    return SimpleNamespace(
        data=data, rgb=False, multiscale=False, name="cells", scale=scale, translate=translate
    )


@pytest.mark.parametrize("layout", [{}, {"chunks": (4, 4), "shards": (8, 8)}])
@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_one_whole_array_is_counted_and_checked(
    make: Callable[[Path], Any], layout: dict[str, Any], tmp_path: Path
) -> None:
    path, array = tmp_path / "a.zarr", random_image(20, 30)
    store_array(path, array, fill_value=7, **layout)
    remove_chunk(path, "c/1/2")
    array[8:16, 16:24] = 7
    stacks = (open_stack(make(path), "YX"), LayerStack(layer(make(path)), "YX"))
    for stack in stacks:
        check_pixels(stack, array, "YX")
        assert (stack.absent_chunks, stack.fill_value) == (1, 7)
        assert stack.count_absent() == (1, 12)
        assert read_origins(stack) == (path,)
    assert isinstance(stacks[0], ZarrStack)
    assert stacks[0].source == str(path)
    shutil.rmtree(path)
    for stack in stacks:
        with pytest.raises(StackReadError, match="the array was removed while it was open"):
            read_whole(stack)


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_what_dask_makes_of_it_stays_with_dask(
    change: Callable[[Any], Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(20, 30))
    remove_chunk(path, "c/1/2")
    made = change(da.from_zarr(opened(path)))
    assert behind_dask(made) is None
    axes = "ZYX"[-made.ndim :]
    for stack in (open_stack(made, axes), LayerStack(layer(made), axes)):
        check_pixels(stack, made.compute(), axes)
        assert getattr(stack, "absent_chunks", 0) == 0


def test_other_ways_to_read_stay_with_dask(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(20, 30))

    def doubled(array: Any, index: Any) -> Any:
        return array[index] * 2

    array = opened(path)
    for made in (
        da.from_array(array, lock=Lock()),
        da.from_array(array, getitem=doubled),
        da.from_zarr(array, chunks=(5, 5)),
        da.from_array(np.zeros((4, 4))),
        da.zeros((4, 4), chunks=2),
    ):
        assert behind_dask(made) is None
    for other in (array, array[...], "a.zarr", None):
        assert behind_dask(other) is None


def test_nothing_is_made_to_find_out() -> None:
    """Dask makes a graph's tasks, one for each block, when it is asked for them, and keeps them."""
    array = zarr.create_array({}, shape=(10**9, 1000), chunks=(10, 1000), dtype="u1")
    made = da.from_array(array, chunks=(10**5, 1000))
    read = made.dask.layers[made.name]
    assert not vars(read).get("_cached_dict")
    assert behind_dask(made) is array
    assert not vars(read).get("_cached_dict")
