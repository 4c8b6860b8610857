from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore

from napari_tessera.writing import WriteTilesZarr
from napari_tessera.writing.chunks.chunking import MANY_CHUNKS, Chunking
from napari_tessera.writing.strategies.array_job import FEW_CHUNKS, ArrayJob

SOURCE = "/data/in.zarr/a"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, counting_store: Callable[..., Any]) -> Counter[str]:
    """How often each key of an array or its mask was written."""
    sets: Counter[str] = Counter()

    def open_store(path: Path) -> Store:
        store: Store = counting_store(LocalStore(path), sets)
        return store

    monkeypatch.setattr("napari_tessera.writing.strategies.array_node.open_store", open_store)
    return sets


def of_chunks(written: Counter[str]) -> list[int]:
    return [n for key, n in written.items() if "/c/" in key and "ledger" not in key]


def run_into(
    out: Path, image: Any, *, limit: int, dtype: Any = None, **run: Any
) -> zarr.Array[Any]:
    writer = WriteTilesZarr(memory_limit=limit, dtype=dtype)
    writer.open(image.run(dirpath=out, **run))
    for tile in image.tiles():
        writer.write_batch(out, [tile])
    writer.close(completed=True)
    return zarr.open_array(str(out / "in_output.zarr" / "a"), mode="r")


@pytest.mark.parametrize("dtype", [None, "uint8"])
@pytest.mark.parametrize(
    ("shape", "chunks"), [((20, 70, 80), (20, 32, 32)), ((1, 30, 1200), (1, 5, 1200))]
)
def test_each_chunk_is_written_once_whatever_chunks_the_image_has(
    tmp_path: Path, tiled_image: Any, written: Counter[str], shape: Any, chunks: Any, dtype: Any
) -> None:
    image = tiled_image("TYX", shape, (32, 32), (8, 8), source=SOURCE)
    # a plane and a half: less than all that the image's own chunks would keep begun
    limit = 6 * shape[1] * shape[2]
    array = run_into(tmp_path, image, limit=limit, dtype=dtype, source_chunks=chunks)
    assert set(of_chunks(written)) == {1}
    if dtype is None:
        np.testing.assert_array_equal(array[:], image.expected)


@pytest.mark.parametrize("dtype", [None, "uint16"])
def test_shards_are_written_once_where_channels_are_copied(
    tmp_path: Path, tiled_image: Any, written: Counter[str], dtype: Any
) -> None:
    shape = (MANY_CHUNKS // 3 + 1, 3, 20, 16)
    image = tiled_image(
        "TCYX", shape, (20, 16), (0, 0), fold="C", selection={"C": [0, 2]}, source=SOURCE
    )
    image.view[:] = np.rint(np.abs(image.view))
    pixels = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    array = run_into(
        tmp_path,
        image,
        limit=2**29,
        dtype=dtype,
        read_input=pixels.__getitem__,
        input_dtype="uint16",
    )
    assert array.shards is not None
    assert array.shards[:2] == (shape[0], 1)
    counts = of_chunks(written)
    assert len(counts) == 3 * (1 if dtype is None else 2)
    assert set(counts) == {1}
    np.testing.assert_array_equal(array[:, [0, 2]], image.expected)
    np.testing.assert_array_equal(array[:, 1], pixels[:, 1])


def job(image: Any, **run: Any) -> ArrayJob:
    return ArrayJob.of_run(image.run(**run))


def test_few_chunks_serve_however_small_if_tiles_span_them(tiled_image: Any) -> None:
    image = tiled_image("TYX", (4, 600, 610), (300, 300), (40, 40))
    small = job(image, source_chunks=(1, 80, 80), source_shards=(1, 160, 160))
    assert small.chunking(None) == Chunking((1, 80, 80), (1, 160, 160)) == small.chunking(None)
    # shards of several time points do not serve, their chunks do
    mixed = job(image, source_chunks=(1, 80, 80), source_shards=(2, 160, 160))
    assert mixed.chunking(None) == Chunking((1, 80, 80))
    assert FEW_CHUNKS == 8 * 8 * 4
    for chunks in ((1, 70, 80), (2, 80, 80), (1, 20, 610), (1, 0, 80), (80, 80)):
        assert job(image, source_chunks=chunks).chunking(None) == Chunking((1, 256, 256))
    assert small.chunking((100, 100)) == Chunking((1, 100, 100))


def test_channels_that_are_copied_stand_in_chunks_of_their_own(tiled_image: Any) -> None:
    image = tiled_image("CYX", (2, 300, 300), (128, 128), (16, 16), fold="C", selection={"C": [1]})
    alone = job(image)
    assert (alone.copied, alone.chunking((2, 100, 100))) == ((), Chunking((2, 100, 100)))
    copying = job(image, read_input=np.zeros((2, 300, 300), np.uint16).__getitem__)
    assert (copying.copied, copying.chunking((2, 100, 100))) == ((0,), Chunking((1, 100, 100)))


def test_a_tile_tells_of_its_array(tiled_image: Any) -> None:
    image = tiled_image("TYX", (2, 600, 610), (300, 300), (40, 40), channels=2, source=SOURCE)
    tile = image.tile(0)
    known = {**tile.additional_metadata, "chunks": [1, 300, 200], "shards": None}
    made = ArrayJob.of_tile(tile._replace(additional_metadata=known), np.dtype("float32"))
    assert (made.axes, made.shape) == ("TCYX", (2, 2, 600, 610))
    assert made.chunking(None) == Chunking((1, 1, 300, 200))
    assert (made.n_tiles, made.copied, made.run) == (image.n_tiles, (), None)
    attributes = made.attributes()
    assert attributes["total_tiles"] == image.n_tiles
    assert attributes["input"] == {
        "source": SOURCE,
        "axes": "TYX",
        "shape": [2, 600, 610],
        "dtype": "uint16",
    }
    whole = tile._replace(region_spec={"data_idx": 0, "sample_idx": 0, "coords": (0, 0)})
    with pytest.raises(ValueError, match="is no tile"):
        ArrayJob.of_tile(whole, np.dtype("float32"))
