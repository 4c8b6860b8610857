"""What a stack tells of its data where that is a Zarr array, and where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_tessera.stacks import StackReadError
from napari_tessera.stacks.zarr.backed import ZarrBackedStack

from .zarr_files import check_pixels, random_image, remove_chunk, store_array


@pytest.mark.parametrize("wrap", [lambda array: array, da.from_zarr])
def test_of_an_array_of_zarr(wrap: Any, tmp_path: Path) -> None:
    path, array = tmp_path / "a.zarr", random_image(2, 16, 32)
    store_array(path, array, shards=(1, 8, 16), chunks=(1, 4, 8), fill_value=5)
    remove_chunk(path, "c/1/1/0")
    array[1, 8:, :16] = 5
    data = wrap(zarr.open_array(path, mode="r"))
    with ZarrBackedStack(data, "CYX", source="cells") as stack:
        assert stack.source == "cells"
        assert (stack.shards, stack.chunks, stack.fill_value) == ((1, 8, 16), (1, 4, 8), 5)
        assert stack.origins == (path,)
        assert (stack.absent_chunks, stack.count_absent()) == (0, (1, 8))
        check_pixels(stack, array, "CYX")
        assert stack.absent_chunks == 1
    with ZarrBackedStack(data, "CYX", source="cells", channels=[0]) as one:
        check_pixels(one, array[:1], "CYX")
        assert one.absent_chunks == 0, "the chunk is of the other channel"
        file = path / "c" / "0" / "0" / "1"
        file.write_bytes(file.read_bytes()[:-1])
        message = r"cells cannot be read at C=0…0 Y=0…15 X=0…31: shard c/0/0/1, chunk at C=0…0 "
        with pytest.raises(StackReadError, match=message):
            one.extract_patch(0, None, (0, 0), (16, 32))


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array])
def test_of_any_other_array(wrap: Any) -> None:
    array = random_image(8, 8)
    with ZarrBackedStack(wrap(array), "YX", source="cells") as stack:
        check_pixels(stack, array, "YX")
        assert (stack.absent_chunks, stack.count_absent(), stack.origins) == (0, None, ())
        assert (stack.fill_value, stack.shards) == (None, None)


def test_of_another_array_a_failure_is_told_as_it_is() -> None:
    def fail(block: Any) -> Any:
        raise OSError("disk on fire")

    data = da.zeros((8, 8), chunks=4).map_blocks(fail, dtype="f8", meta=np.zeros((0, 0)))
    stack = ZarrBackedStack(data, "YX", source="cells")
    with pytest.raises(StackReadError, match=r"^cells .* X=0…3: OSError: disk on fire$"):
        stack.extract_patch(0, None, (0, 0), (4, 4))
