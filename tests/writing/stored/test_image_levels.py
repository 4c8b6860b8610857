from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.chunks.chunking import MANY_CHUNKS, Chunking
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.image_levels import (
    create_levels,
    factors_of,
    image_chunking,
    image_levels,
    open_levels,
)
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions

from .writing_images import check_levels, is_chunk, write


def chunking_of(image: Any, *, apart: bool = False, asked: Any = None, **run: Any) -> Chunking:
    order = OmeOrder(image.region.axes, image.region.selected_shape)
    return image_chunking(image.run(**run), order, asked=asked, sharding=True, channels_apart=apart)


def test_the_images_own_serve_where_tiles_span_them(tiled_image: Any) -> None:
    planes = tiled_image("TYX", (2, 700, 610), (128, 128), (16, 16))
    own = chunking_of(planes, source_chunks=(1, 128, 160), source_shards=(1, 256, 320))
    assert own == Chunking((1, 128, 160), (1, 256, 320))
    # shards of both time points do not, their chunks do
    own = chunking_of(planes, source_chunks=(1, 128, 160), source_shards=(2, 256, 320))
    assert own == Chunking((1, 128, 160))
    assert chunking_of(planes, source_chunks=(2, 128, 160)) == Chunking((1, 256, 256))
    # all channels of a tile come at once, unless C is folded
    channels = {"source_chunks": (2, 128, 160)}
    together = tiled_image("CYX", (2, 700, 610), (128, 128), (16, 16))
    assert chunking_of(together, **channels) == Chunking((2, 128, 160))
    assert chunking_of(together, **channels, apart=True) == Chunking((1, 256, 256))
    folded = tiled_image("CYX", (2, 700, 610), (128, 128), (16, 16), fold="C")
    assert chunking_of(folded, **channels) == Chunking((1, 256, 256))


def test_chunks_that_hold_copied_and_predicted_channels_are_refused(tiled_image: Any) -> None:
    image = tiled_image("CYX", (2, 300, 300), (128, 128), (16, 16), fold="C")
    assert chunking_of(image, asked=(2, 100, 100)) == Chunking((2, 100, 100))
    assert chunking_of(image, asked=(100, 100), apart=True) == Chunking((1, 100, 100))
    with pytest.raises(
        ValueError, match=r"chunks \(2, 100, 100\) along CYX hold several"
    ) as caught:
        chunking_of(image, asked=(2, 100, 100), apart=True)
    assert "\n" not in str(caught.value)


def test_shards_are_written_once_where_channels_are_copied(
    tiled_image: Any, counting_store: Callable[..., Any]
) -> None:
    shape = (MANY_CHUNKS // 3 + 1, 3, 20, 16)
    image = tiled_image("TCYX", shape, (20, 16), (0, 0), fold="C", selection={"C": [0, 2]})
    pixels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    memory = MemoryStore()
    store = counting_store(memory)
    run = image.run(read_input=pixels.__getitem__)
    writer = OmeImageRun(store, run, options=ImageOptions(copy_channels=True))
    writer.add(image.tiles())
    writer.close(completed=True)
    array = zarr.open_array(memory, path="0", mode="r")
    assert array.shards is not None
    assert array.shards[:2] == (shape[0], 1)
    written = {key: n for key, n in store.sets.items() if is_chunk(key)}
    assert len(written) == 3
    assert set(written.values()) == {1}
    np.testing.assert_array_equal(array[:, [0, 2]], image.expected)
    np.testing.assert_array_equal(array[:, 1], pixels[:, 1])


@pytest.mark.parametrize(
    ("shape", "chunks"), [((20, 70, 80), (20, 32, 32)), ((1, 30, 1200), (1, 5, 1200))]
)
def test_each_chunk_is_written_once_whatever_chunks_the_image_has(
    tiled_image: Any, counting_store: Callable[..., Any], shape: Any, chunks: Any
) -> None:
    image = tiled_image("TYX", shape, (32, 32), (8, 8))
    memory = MemoryStore()
    store = counting_store(memory)
    run = image.run(source_chunks=chunks)
    # a plane and a half: less than all that the image's own chunks would keep begun
    limit = 6 * shape[1] * shape[2]
    writer = OmeImageRun(store, run, memory_limit=limit)
    for tile in image.tiles():
        writer.add([tile])
    writer.close(completed=True)
    written = {key: n for key, n in store.sets.items() if is_chunk(key)}
    assert set(written.values()) == {1}
    np.testing.assert_array_equal(zarr.open_array(memory, path="0")[:], image.expected)


def test_levels_are_made_and_opened_again(tiled_image: Any) -> None:
    image = tiled_image("TYX", (2, 1100, 610), (128, 128), (16, 16))
    order = OmeOrder(image.region.axes, image.region.selected_shape)
    levels = image_levels(order, chunking_of(image), ImageMetadata("TYX"), pyramid=True)
    assert [level.shape for level in levels] == [(2, 1100, 610), (2, 550, 305), (2, 275, 153)]
    assert (
        image_levels(order, chunking_of(image), ImageMetadata("TYX"), pyramid=False) == levels[:1]
    )
    group = zarr.create_group(MemoryStore())
    made = create_levels(group, levels, axes="TYX", dtype="uint16", compression="lz4")
    assert factors_of(made) == [level.factors for level in levels]
    assert [array.path for array in made] == ["0", "1", "2"]
    datasets = [{"path": str(level)} for level in range(3)]
    again = open_levels(group, {"ome": {"multiscales": [{"datasets": datasets}]}})
    assert [array.path for array in again] == ["0", "1", "2"]
    assert [array.shape for array in again] == [level.shape for level in levels]


def test_a_sharded_pyramid_is_that_of_the_pixels(tiled_image: Any) -> None:
    image = tiled_image("YX", (540, 700), (200, 200), (16, 16))
    memory = MemoryStore()
    write(memory, image, source_chunks=(128, 160), source_shards=(256, 320))
    group = zarr.open_group(memory, mode="r")
    assert group["0"].shards == (256, 320)
    check_levels(group, [(540, 700), (270, 350)], image.expected)
