"""One array for one image: its tiles, chunks, copied channels and neighbours."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore

from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import WriteTilesZarr
from napari_tessera.writing.places.lock import StoreBusyError

from .zarr_runs import SOURCE, Changed, run_into, said, stored


def test_the_array_is_there_before_the_first_tile(tmp_path: Path, volume: Any) -> None:
    out = tmp_path / "new" / "out"
    writer = WriteTilesZarr()
    writer.open(volume.run(dirpath=out, input_dtype="uint16", model={"name": "blur"}))
    assert stored(out).shape == (2, 2, 3, 61, 47)
    state = said(out)
    assert (state["state"], state["completed"], state["total_tiles"]) == ("writing", False, 144)
    assert state["input"]["source"] == SOURCE
    assert state["model"] == {"name": "blur"}
    writer.close(completed=False)
    assert said(out)["state"] == "stopped"


def test_a_finished_array_says_so_and_nothing_else_is_left(tmp_path: Path, volume: Any) -> None:
    run_into(tmp_path, volume)
    state = said(tmp_path)
    assert (state["state"], state["completed"], state["clipped_pixels"]) == ("finished", True, 0)
    assert state["plan"]["fingerprint_of"]["model_name"] == "blur"
    files = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert files - {"zarr.json"} <= {str(n) for n in range(8)}
    assert not list(tmp_path.glob(".*"))
    # every group on the way can be browsed
    assert (tmp_path / "in_output.zarr" / "g" / "zarr.json").exists()
    assert (tmp_path / "in_output.zarr" / "zarr.json").exists()


def test_tiles_alone_are_finished_with_the_last_one(tmp_path: Path, volume: Any) -> None:
    writer = WriteTilesZarr(dtype="uint8")
    writer.write_batch(tmp_path, volume.tiles()[:-1])
    assert said(tmp_path)["state"] == "writing"
    writer.write_batch(tmp_path, volume.tiles()[-1:])
    state = said(tmp_path)
    assert (state["state"], state["completed"]) == ("finished", True)
    rounded = np.rint(volume.expected)
    assert state["clipped_pixels"] == ((rounded < 0) | (rounded > 255)).sum() > 0
    np.testing.assert_array_equal(stored(tmp_path)[:], rounded.clip(0, 255))
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(ValueError, match="is one more than were expected") as caught:
        writer.write_batch(tmp_path, volume.tiles()[:1])
    assert "\n" not in str(caught.value)


def test_a_tile_that_comes_twice_is_an_error(tmp_path: Path, volume: Any) -> None:
    writer = WriteTilesZarr()
    with pytest.raises(ValueError, match="takes each of its 144 tiles once"):
        writer.write_batch(tmp_path, [volume.tile(0), volume.tile(1), volume.tile(0)])
    writer.close(completed=False)
    assert not said(tmp_path)["completed"]


def test_tiles_of_another_image_are_refused(tmp_path: Path, volume: Any, tiled_image: Any) -> None:
    other = tiled_image("TCYX", (2, 2, 61, 47), (24, 24), (8, 8), fold="C", source=SOURCE)
    writer = WriteTilesZarr()
    with pytest.raises(ValueError, match="is of another image than"):
        writer.write_batch(tmp_path, [volume.tile(0), other.tile(0)])
    writer.close(completed=False)
    numberless = volume.tile(0)
    numberless = numberless._replace(
        additional_metadata={**numberless.additional_metadata, "tile_index": None}
    )
    shutil.rmtree(tmp_path / "in_output.zarr")
    writer.open(volume.run(dirpath=tmp_path))
    with pytest.raises(ValueError, match="has no tile_index"):
        writer.write_batch(tmp_path, [numberless])
    writer.close(completed=False)


@pytest.mark.parametrize(
    ("source_chunks", "source_shards", "dtype", "expected"),
    [
        (None, None, None, ((1, 256, 256), None)),
        ((1, 300, 200), None, None, ((1, 300, 200), None)),
        ((1, 150, 200), (1, 600, 400), None, ((1, 150, 200), (1, 600, 400))),
        ((1, 300, 300), (1, 700, 600), None, ((1, 300, 300), None)),
        ((1, 100, 80), (1, 300, 160), "uint8", ((1, 100, 80), (1, 300, 160))),
        # one that holds two time points waits for the second one
        ((1, 150, 200), (2, 600, 400), None, ((1, 150, 200), None)),
        ((2, 300, 300), None, None, ((1, 256, 256), None)),
        # strips of a TIFF
        ((1, 20, 610), None, None, ((1, 256, 256), None)),
        # too many of so few bytes
        ((1, 64, 64), (2, 640, 640), None, ((1, 256, 256), None)),
        ((1, 8, 8), None, None, ((1, 256, 256), None)),
        # of another image
        ((300, 200), None, None, ((1, 256, 256), None)),
    ],
)
def test_chunks_are_the_images_where_they_serve(
    tmp_path: Path,
    tiled_image: Any,
    source_chunks: Any,
    source_shards: Any,
    dtype: str | None,
    expected: Any,
) -> None:
    image = tiled_image("TYX", (4, 600, 610), (300, 300), (40, 40), source=SOURCE)
    run_into(
        tmp_path / "run",
        Changed(image, source_chunks=source_chunks, source_shards=source_shards),
        dtype=dtype,
    )
    by_hand = [
        tile._replace(
            additional_metadata={
                **tile.additional_metadata,
                "chunks": source_chunks,
                "shards": source_shards,
            }
        )
        for tile in image.tiles()
    ]
    WriteTilesZarr(dtype=dtype).write_batch(tmp_path / "hand", by_hand)
    for out in (tmp_path / "run", tmp_path / "hand"):
        array = stored(out)
        assert (array.chunks, array.shards) == expected
        if dtype is not None:
            mask = stored(out, "a_done")
            assert (mask.chunks, mask.shards) == expected


def test_chunks_of_an_image_without_the_channels_that_are_made(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("YX", (600, 610), (300, 300), (40, 40), channels=2, source=SOURCE)
    run_into(tmp_path, Changed(image, source_chunks=(300, 200), source_shards=(600, 400)))
    array = stored(tmp_path)
    assert (array.chunks, array.shards) == ((1, 300, 200), (1, 600, 400))
    np.testing.assert_array_equal(array[:], image.expected)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, counting_store: Callable[..., Any]) -> Counter[str]:
    sets: Counter[str] = Counter()

    def open_store(path: Path) -> Store:
        store: Store = counting_store(LocalStore(path), sets)
        return store

    monkeypatch.setattr("napari_tessera.writing.strategies.array_node.open_store", open_store)
    return sets


@pytest.mark.parametrize("dtype", [None, "same"])
def test_each_chunk_is_written_once(
    tmp_path: Path, tiled_image: Any, counted: Counter[str], dtype: str | None
) -> None:
    axes, shape = "TCYX", (2, 3, 61, 47)
    image = tiled_image(
        axes, shape, (24, 24), (8, 8), fold="C", source=SOURCE, selection={"C": [1]}
    )
    pixels = np.random.default_rng(0).integers(0, 65535, shape).astype(np.uint16)
    run_into(
        tmp_path,
        Changed(image, read_input=pixels.__getitem__, input_dtype="uint16"),
        chunks=(2, 20, 30),
        dtype=dtype,
    )
    chunks = {key: n for key, n in counted.items() if "/c/" in key and "ledger" not in key}
    assert set(chunks.values()) == {1}
    assert len(chunks) == 2 * 3 * 4 * 2 * (1 if dtype is None else 2)


@pytest.mark.parametrize("dtype", [None, "same", "uint8"])
@pytest.mark.parametrize(
    ("axes", "selection"),
    [
        ("TCYX", {"C": [1]}),
        ("CTZYX", {"C": [0, 2]}),
        ("XCTYZ", {"C": [2], "T": [0, 2], "Y": slice(5, 50)}),
        ("TSYXC", {"C": [0, 1], "S": [1]}),
    ],
)
def test_channels_that_are_left_out_are_copied(
    tmp_path: Path, tiled_image: Any, axes: str, selection: dict[str, Any], dtype: str | None
) -> None:
    sizes = {"S": 2, "T": 3, "C": 3, "Z": 2, "Y": 61, "X": 47}
    shape = [sizes[letter] for letter in axes]
    image = tiled_image(
        axes, shape, (24, 24), (8, 8), fold="ZC", source=SOURCE, selection=selection
    )
    pixels = np.random.default_rng(0).integers(1, 65535, shape).astype(np.uint16)
    stack = ArrayStack(pixels, axes)
    run_into(
        tmp_path,
        Changed(image, read_input=pixels.__getitem__, input_dtype=str(stack.data_dtype)),
        dtype=dtype,
    )
    array = stored(tmp_path)
    top = {None: None, "same": 65535, "uint8": 255}[dtype]
    predicted = image.layout.restore(image.view)
    predicted = predicted if top is None else np.rint(predicted).clip(0, top)
    copied = pixels if top is None else pixels.clip(0, top)
    expected = np.full(shape, np.nan if top is None else 0, np.float32)
    there = np.zeros(shape, bool)
    for channel in range(3):
        chosen = [list(indices) for indices in image.region.indices]
        wanted = channel in chosen[axes.index("C")]
        chosen[axes.index("C")] = [channel]
        at = np.ix_(*chosen)
        expected[at] = (predicted if wanted else copied)[at]
        there[at] = True
    np.testing.assert_array_equal(array[:], expected)
    if top is not None:
        np.testing.assert_array_equal(stored(tmp_path, "a_done")[:] == 1, there)
    assert said(tmp_path)["completed"]
    if dtype == "uint8":
        rounded = np.rint(image.expected)
        beyond = ((rounded < 0) | (rounded > 255)).sum()
        others = pixels[there & ~np.isin(np.indices(shape)[axes.index("C")], selection["C"])]
        assert said(tmp_path)["clipped_pixels"] == beyond + (others > 255).sum()


def test_one_writer_at_a_time(tmp_path: Path, volume: Any, tiled_image: Any) -> None:
    first = WriteTilesZarr()
    first.write_batch(tmp_path, volume.tiles([0, 1]))
    with pytest.raises(StoreBusyError, match="wait or choose another name"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    beside = tiled_image("YX", (20, 20), (16, 16), (4, 4), source="/data/in.zarr/g/b")
    with pytest.raises(StoreBusyError):
        WriteTilesZarr().write_batch(tmp_path, beside.tiles())
    first.write_batch(tmp_path, beside.tiles())
    with pytest.raises(StoreBusyError):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    first.close(completed=False)
    WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles())
    assert not list(tmp_path.glob(".*"))
    np.testing.assert_array_equal(stored(tmp_path, "b")[:], beside.expected)


def test_folders_below_the_common_parent_are_kept(tmp_path: Path, tiled_image: Any) -> None:
    images = [
        tiled_image("YX", (20, 33), (16, 16), (4, 4), source=source, data_idx=i, seed=i)
        for i, source in enumerate(["/data/x/in.zarr/a", "/data/y/in.zarr/a"])
    ]
    writer = WriteTilesZarr(source_base="/data")
    writer.write_batch(tmp_path, [tile for image in images for tile in image.tiles()])
    for image, folder in zip(images, "xy", strict=True):
        array = zarr.open_array(str(tmp_path / folder / "in_output.zarr" / "a"), mode="r")
        np.testing.assert_array_equal(array[:], image.expected)
    writer.set_source_base(None)
    writer.write_batch(tmp_path, tiled_image("YX", (9, 9), (16, 16), (4, 4)).tiles())
    assert (tmp_path / "array_output.zarr" / "0").is_dir()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dtype": "grey"}, "is no data type"), ({"compression": "zip"}, "is unknown: use one of")],
)
def test_settings_that_there_are_not(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WriteTilesZarr(**options)


def test_chunks_that_do_not_fit_write_nothing(tmp_path: Path, volume: Any) -> None:
    with pytest.raises(ValueError, match="chunks"):
        WriteTilesZarr(chunks=(0, 1)).open(volume.run(dirpath=tmp_path))
    assert not list(tmp_path.iterdir())
