from __future__ import annotations

from math import prod

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from napari_tessera.layout import Layout
from napari_tessera.writing.chunks.chunking import (
    LARGEST_CHUNK,
    MANY_CHUNKS,
    SHARD_BYTES,
    Chunking,
    choose_chunking,
    default_chunks,
    serving,
    tile_axes,
)

PLANE = {"Y": 448, "X": 448}


def n_chunks(shape: tuple[int, ...], chunking: Chunking) -> list[int]:
    return [-(-n // length) for n, length in zip(shape, chunking.chunks, strict=True)]


def n_files(shape: tuple[int, ...], chunking: Chunking) -> int:
    return prod(n_chunks(shape, Chunking(chunking.shards or chunking.chunks)))


def test_an_image_of_few_chunks_has_a_file_for_each() -> None:
    assert choose_chunking("YX", (32_768, 32_768), PLANE, "uint8") == Chunking((512, 512))


@pytest.mark.parametrize(
    ("dtype", "shards", "files"),
    [
        ("float32", (256, 14336), 2737),
        ("uint16", (256, 25600), 1564),
        ("uint8", (256, 50176), 782),
    ],
)
def test_a_plane_of_100_000_pixels_squared_is_thousands_of_files(
    dtype: str, shards: tuple[int, ...], files: int
) -> None:
    shape = (100_000, 100_000)
    chunking = choose_chunking("YX", shape, PLANE, dtype)
    assert chunking == Chunking((256, 1024), shards)
    assert n_files(shape, chunking) == files


@pytest.mark.parametrize(
    ("axes", "shape", "steps", "shards"),
    [
        # planes one by one: X, then Y, then whole planes
        ("TYX", (20_000, 700, 700), {"Y": 224, "X": 224}, (7, 768, 768)),
        ("TCYX", (9000, 2, 256, 256), PLANE, (32, 2, 256, 256)),
        ("ZYX", (600, 4096, 4096), {"Z": 48, "Y": 200, "X": 200}, (16, 256, 1024)),
        # X is the first axis here, and is still covered first
        ("XYT", (1024, 1024, 9000), {"Y": 200, "X": 200}, (1024, 1024, 4)),
        ("YX", (2 * 10**6, 100), {"Y": 200, "X": 200}, (41728, 100)),
    ],
)
def test_shards_grow_along_x_then_y_then_planes(
    axes: str, shape: tuple[int, ...], steps: dict[str, int], shards: tuple[int, ...]
) -> None:
    chunking = choose_chunking(axes, shape, steps, "float32")
    assert chunking.shards == shards


def test_zarr_2_has_no_shards() -> None:
    chunking = choose_chunking(
        "YX", (100_000, 100_000), PLANE, "float32", source_shards=(512, 1024), sharding=False
    )
    assert chunking == Chunking((256, 1024))


@pytest.mark.parametrize(
    ("axes", "shape", "dtype", "given", "expected"),
    [
        # a row of 512 is 16 MiB of uint16 at 16,384 pixels of width, of float32 at 8,192
        ("YX", (16_384, 16_384), "uint16", (512, 512), (512, 512)),
        ("YX", (16_384, 16_385), "uint16", (512, 512), (256, 1024)),
        ("YX", (32_768, 32_768), "uint16", (512, 512), (256, 1024)),
        ("YX", (32_768, 32_768), "float32", (512, 512), (256, 1024)),
        ("XY", (32_768, 32_768), "float32", (512, 512), (1024, 256)),
        ("TYX", (9, 32_768, 32_768), "float32", (1, 512, 512), (1, 256, 1024)),
        # no lower than 256, and halves only; at most four times as long as high
        ("YX", (200_000, 200_000), "float32", (512, 512), (256, 1024)),
        ("YX", (200_000, 200_000), "float32", (256, 256), (256, 256)),
        ("YX", (200_000, 200_000), "float32", (1024, 1024), (256, 2048)),
        ("YX", (32_768, 32_768), "float32", (513, 513), (513, 513)),
        # one that covers X is all that is begun; of volumes whole slabs are
        ("YX", (4000, 6000), "float32", (1024, 6000), (1024, 6000)),
        ("ZYX", (64, 20_000, 20_000), "uint16", (16, 256, 256), (16, 256, 256)),
    ],
)
def test_chunks_of_wide_planes_get_lower_so_that_a_row_of_them_stays_small(
    axes: str,
    shape: tuple[int, ...],
    dtype: str,
    given: tuple[int, ...],
    expected: tuple[int, ...],
) -> None:
    steps = {letter: 200 for letter in axes if letter in "ZYX"}
    chosen = choose_chunking(axes, shape, steps, dtype, source_chunks=given)
    assert chosen.chunks == expected
    asked = choose_chunking(axes, shape, steps, dtype, asked=given)
    assert asked.chunks == given


def test_shards_of_the_image_do_not_serve_where_a_row_of_them_is_large() -> None:
    shards = (512, 2048)
    for width, expected in ((32_768, Chunking((256, 256), shards)), (40_000, None)):
        chosen = choose_chunking(
            "YX", (8192, width), PLANE, "float32", source_chunks=(256, 256), source_shards=shards
        )
        if expected is None:
            assert (chosen.chunks, chosen.shards != shards) == ((256, 256), True)
        else:
            assert chosen == expected


@pytest.mark.parametrize(
    ("chunks", "shards", "expected"),
    [
        ((1, 1024, 1024), None, Chunking((1, 1024, 1024))),
        ((1, 1024, 1024), (1, 2048, 2048), Chunking((1, 1024, 1024), (1, 2048, 2048))),
        # cut to the image, a shard of one chunk is none
        ((1, 1024, 4096), (4, 1024, 4096), Chunking((1, 1024, 3000), (4, 1024, 3000))),
        ((1, 2048, 3000), (1, 2048, 3000), Chunking((1, 2048, 3000))),
        # shards that are no multiple of the chunks, or too large, are left out
        ((1, 1024, 1024), (1, 1500, 1500), Chunking((1, 1024, 1024))),
        ((1, 1024, 1024), (20, 3072, 3072), Chunking((1, 1024, 1024))),
        # too small, too large, of other axes: chosen for the grid of tiles
        ((1, 64, 64), None, Chunking((1, 512, 512))),
        ((40, 3000, 3000), None, Chunking((1, 512, 512))),
        ((1024, 1024), None, Chunking((1, 512, 512))),
        ((0, 1024, 1024), None, Chunking((1, 512, 512))),
        ((), None, Chunking((1, 512, 512))),
    ],
)
def test_chunks_of_the_image_are_taken_where_they_serve(
    chunks: tuple[int, ...], shards: tuple[int, ...] | None, expected: Chunking
) -> None:
    chosen = choose_chunking(
        "TYX", (40, 3000, 3000), PLANE, "float32", source_chunks=chunks, source_shards=shards
    )
    assert chosen == expected


def test_what_is_asked_for_comes_before_the_image_and_gets_shards_too() -> None:
    given_chunks = {"asked": (100, 100), "source_chunks": (1, 1024, 1024)}
    assert choose_chunking("TYX", (4, 3000, 3000), PLANE, "uint8", **given_chunks) == Chunking(
        (1, 100, 100)
    )
    many = choose_chunking("TYX", (9, 3000, 3000), PLANE, "uint8", **given_chunks)
    assert many == Chunking((1, 100, 100), (1, 3000, 3000))
    assert choose_chunking("TYX", (4, 90, 90), PLANE, "uint8", **given_chunks).chunks == (1, 90, 90)


@pytest.mark.parametrize("asked", [(0, 64), (1, 1, 64, 64), (-1,)])
def test_lengths_that_do_not_fit_are_refused(asked: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"chunks \(.*\) do not fit the axes TYX: give sizes"):
        choose_chunking("TYX", (4, 300, 300), PLANE, "uint8", asked=asked)


@pytest.mark.parametrize(
    ("fold", "lengths", "serve"),
    [
        ("ZC", (1, 1, 1, 300, 200), True),
        # a chunk of two planes stays begun until the second one is predicted
        ("ZC", (1, 1, 2, 300, 200), False),
        ("ZC", (1, 2, 1, 300, 200), False),
        ("ZC", (2, 1, 1, 300, 200), False),
        # nor is it two planes where the image has no second one
        ("ZC", (90, 1, 1, 300, 200), True),
        ("C", (1, 1, 60, 300, 200), True),
        ("C", (1, 2, 60, 300, 200), False),
        ("", (1, 2, 60, 300, 200), True),
        # strips, as a TIFF has them
        ("", (1, 1, 1, 10, 3000), False),
        ("", (1, 1, 1, 3000, 10), False),
        ("", (1, 1, 1, 375, 3000), True),
        ("", (1, 1, 1, 374, 3000), False),
        ("", (300, 200), False),
        ("", (1, 1, 1, 0, 200), False),
        ("", (), False),
        ("", None, False),
    ],
)
def test_lengths_serve_that_tiles_span_and_viewers_read(
    fold: str, lengths: tuple[int, ...] | None, serve: bool
) -> None:
    layout = Layout("TCZYX", (1, 2, 60, 3000, 4000), fold, None)
    if lengths and lengths[0] == 2:
        layout = Layout("TCZYX", (2, 2, 60, 3000, 4000), fold, None)
    steps = dict.fromkeys(layout.spatial_axes, 2000)
    found = serving(lengths, layout.axes, layout.shape, tile_axes(layout), steps)
    assert found == (lengths if serve else None)


@pytest.mark.parametrize(
    ("step", "most", "lengths", "serve"),
    [
        (200, 4, (1, 800, 800), True),
        # whole planes, as ImageJ's TIFFs have them: a kill would cost all that was predicted
        (200, 4, (1, 4000, 4000), False),
        (200, 4, (1, 801, 800), False),
        # usual chunks serve however small tiles are
        (16, 4, (16, 512, 512), True),
        (16, 4, (65, 512, 512), False),
        (200, 16, (1, 3200, 3200), True),
        (200, 16, (1, 3201, 3200), False),
    ],
)
def test_lengths_serve_that_are_a_few_tiles_long(
    step: int, most: int, lengths: tuple[int, ...], serve: bool
) -> None:
    steps = {"Z": 16, "Y": step, "X": step}
    found = serving(lengths, "ZYX", (100, 5000, 5000), "ZYX", steps, most)
    assert found == (lengths if serve else None)


@pytest.mark.parametrize("asked", [None, (2, 64, 64)])
@pytest.mark.parametrize(
    "source", [None, ((1, 2, 128, 256), None), ((1, 1, 128, 256), (1, 2, 512, 512))]
)
def test_nothing_is_longer_than_one_along_axes_that_are_apart(
    asked: object, source: object
) -> None:
    chunks, shards = source or (None, None)  # type: ignore[misc]
    apart = choose_chunking(
        "TCYX",
        (3000, 3, 512, 512),
        PLANE,
        "float32",
        asked=asked,  # type: ignore[arg-type]
        source_chunks=chunks,
        source_shards=shards,
        apart="C",
    )
    assert apart.chunks[1] == 1
    assert apart.shards is not None
    assert apart.shards[1] == 1
    assert apart.shards[2:] == (512, 512)


def test_shards_of_all_channels_that_are_apart_are_together_as_large_as_one() -> None:
    planes, few = {"Y": 64, "X": 64}, (1400, 3, 64, 64)
    assert choose_chunking("TCYX", few, planes, "float32").shards == (280, 3, 64, 64)
    assert choose_chunking("TCYX", few, planes, "float32", apart="C").shards == (280, 1, 64, 64)
    # no room is left for a second time point
    many = (50, 2000, 64, 64)
    assert choose_chunking("TCYX", many, planes, "float32", apart="C").shards is None


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, tuple[int, ...], dict[str, int], str]:
    axes = "".join(draw(st.permutations([*draw(st.sets(st.sampled_from("STCZ"))), "Y", "X"])))
    shape = tuple(draw(st.integers(1, 60_000 if letter in "YX" else 300)) for letter in axes)
    spatial = [
        letter for letter in axes if letter in "YX" or (letter == "Z" and draw(st.booleans()))
    ]
    steps = {letter: draw(st.integers(8, 800)) for letter in spatial}
    return axes, shape, steps, draw(st.sampled_from(["uint8", "float32", "float64"]))


@given(case=arrays(), data=st.data())
def test_chunking_is_one_that_zarr_takes_within_the_bounds(
    case: tuple[str, tuple[int, ...], dict[str, int], str], data: st.DataObject
) -> None:
    axes, shape, steps, dtype = case
    source = data.draw(st.none() | st.tuples(*[st.integers(0, 3000) for _ in shape]))
    shards = data.draw(st.none() | st.tuples(*[st.integers(0, 3000) for _ in shape]))
    others = [letter for letter in axes if letter in "STC"]
    apart = "".join(data.draw(st.sets(st.sampled_from(others)))) if others else ""
    chunking = choose_chunking(
        axes, shape, steps, dtype, source_chunks=source, source_shards=shards, apart=apart
    )
    for letter in apart:
        assert (chunking.shards or chunking.chunks)[axes.index(letter)] == 1
    array = zarr.create_array(
        MemoryStore(), shape=shape, chunks=chunking.chunks, shards=chunking.shards, dtype=dtype
    )
    assert array.chunks == chunking.chunks
    itemsize = np.dtype(dtype).itemsize
    assert prod(chunking.chunks) * itemsize <= LARGEST_CHUNK
    if chunking.shards is not None:
        assert chunking.shards != chunking.chunks
        assert prod(chunking.shards) * itemsize <= LARGEST_CHUNK
    elif prod(counts := n_chunks(shape, chunking)) > MANY_CHUNKS:
        # no two chunks are small enough to go into one shard, with those that stand apart
        beside = prod(shape[axes.index(letter)] for letter in apart)
        alone = beside == prod(counts)
        assert alone or 2 * prod(chunking.chunks) * itemsize * beside > SHARD_BYTES


def test_default_chunks_serve_viewers_of_planes_and_of_volumes() -> None:
    volume = {"Z": 48, "Y": 200, "X": 200}
    assert default_chunks("YX", (10_000, 10_000), {"Y": 448, "X": 448}) == (512, 512)
    assert default_chunks("YX", (10_000, 10_000), {"Y": 208, "X": 208}) == (256, 256)
    assert default_chunks("TCZYX", (5, 2, 90, 4000, 4000), volume) == (1, 1, 16, 256, 256)
    assert default_chunks("TZYX", (5, 9, 100, 4000), {"Y": 448, "X": 448}) == (1, 1, 100, 512)
