"""How pixels are got out of bioio: chunks of graphs, and as few of them as make sense."""

from __future__ import annotations

import threading
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.stacks.bioio import pixels as bioio_pixels
from napari_tessera.stacks.bioio.pixels import DaskPixels
from napari_tessera.stacks.bioio.stack import BioioStack
from napari_tessera.testing import check_image_stack

from .bioio_files import random_image, write_lif


@given(data=st.data())
def test_any_part_of_a_dask_array(data: st.DataObject) -> None:
    array = np.arange(3 * 7 * 9).reshape(3, 7, 9)
    chunks = tuple(data.draw(st.integers(1, n)) for n in array.shape)
    lazy = da.from_array(array, chunks=chunks) + 1
    pixels = DaskPixels(xarray.DataArray(lazy.transpose(0, 2, 1), dims=("Z", "X", "Y")))
    spans = [
        sorted(data.draw(st.sets(st.integers(0, n), min_size=2, max_size=2))) for n in (3, 9, 7)
    ]
    index = tuple(slice(*span) for span in spans)
    np.testing.assert_array_equal(pixels[index], (array + 1).transpose(0, 2, 1)[index])


def test_a_chunk_is_computed_alone_and_in_the_thread_that_asks() -> None:
    seen: list[tuple[int, int]] = []

    def make(block_id: tuple[int, int]) -> np.ndarray:  # type: ignore[type-arg]
        seen.append((threading.get_ident(), block_id[0]))
        return np.full((1, 5), block_id[0])

    lazy = da.map_blocks(make, chunks=((1,) * 100, (5,)), dtype=int)
    seen.clear()
    pixels = DaskPixels(xarray.DataArray(lazy, dims=("Y", "X")))
    assert seen == []
    assert pixels[slice(41, 43), 3].tolist() == [41, 42]
    assert seen == [(threading.get_ident(), 41), (threading.get_ident(), 42)]


@pytest.mark.parametrize(
    ("sizes", "dims"),
    [
        ({"T": 1000, "C": 2, "Z": 1, "Y": 9, "X": 9}, "YXS"),
        ({"T": 1000, "C": 2, "Z": 5, "Y": 9, "X": 9}, "YXSZ"),
        ({"T": 2000, "C": 2, "Z": 1, "Y": 9, "X": 9}, "YXSZC"),
        ({"T": 9000, "C": 1, "Y": 9, "X": 9}, "YXSZCT"),
        ({"M": 40, "T": 30, "C": 1, "Z": 3, "Y": 9, "X": 9}, "YXSZ"),
        ({"Y": 9, "X": 9}, "YXS"),
    ],
)
def test_chunks_are_as_small_as_the_number_of_them_allows(sizes: dict[str, int], dims: str) -> None:
    assert "".join(bioio_pixels._chunk_dims(sizes)) == dims


def test_a_long_series_is_read_in_larger_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bioio_pixels, "_MOST_CHUNKS", 10)
    path = tmp_path / "series.lif"
    image = random_image(6, 2, 3, 20, 21)
    write_lif(path, {"one": image}, {})
    with BioioStack(path) as stack:
        assert stack.chunks == (1, 2, 3, 20, 21)
        check_image_stack(stack, image)
