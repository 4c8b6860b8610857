"""The mask beside an array of integers, and what stands where an array or its mask would go."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import LocalStore

from napari_tessera.writing import WriteTilesZarr

from .zarr_runs import SOURCE, stored


@pytest.mark.parametrize("dtype", [None, "uint8"])
@pytest.mark.parametrize("limit", [0, 3000, 2**30])
def test_the_mask_is_never_ahead_of_the_pixels(
    tmp_path: Path,
    tiled_image: Any,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    dtype: str | None,
) -> None:
    image = tiled_image("YX", (61, 47), (24, 24), (8, 8), source=SOURCE)
    image.view[:] = np.abs(image.view) + 1
    original = LocalStore.set

    async def checked(self: LocalStore, key: str, value: Any) -> None:
        await original(self, key, value)
        if "a_done/c/" in key:
            sets.append(key)

    sets: list[str] = []
    monkeypatch.setattr(LocalStore, "set", checked)
    writer = WriteTilesZarr(dtype=dtype, chunks=(20, 30), memory_limit=limit)
    order = np.random.default_rng(1).permutation(image.n_tiles)
    for count, tile in enumerate(order):
        writer.write_batch(tmp_path, [image.tile(int(tile))])
        if dtype is None:
            continue
        mask, pixels = stored(tmp_path, "a_done")[:], stored(tmp_path)[:]
        np.testing.assert_array_equal(mask == 1, pixels > 0)
        if count + 1 == image.n_tiles:
            assert (mask == 1).all()
    assert bool(sets) == (dtype is not None)


@settings(max_examples=8)
@given(data=st.data())
def test_the_mask_follows_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, tiled_image: Any, data: st.DataObject
) -> None:
    """Whatever is flushed when, ones stand exactly where pixels do."""
    image = tiled_image("TYX", (2, 30, 41), (16, 16), (4, 4), source=SOURCE)
    image.view[:] = np.abs(image.view) + 1
    out = tmp_path_factory.mktemp("mask")
    chunks = data.draw(st.tuples(st.integers(1, 2), st.integers(5, 30), st.integers(5, 41)))
    limit = data.draw(st.integers(0, 6000))
    writer = WriteTilesZarr(dtype="uint16", chunks=chunks, memory_limit=limit)
    order = data.draw(st.permutations(range(image.n_tiles)))
    stop = data.draw(st.integers(1, image.n_tiles))
    for tile in order[:stop]:
        writer.write_batch(out, [image.tile(tile)])
        if data.draw(st.booleans()):
            writer.flush()
        np.testing.assert_array_equal(stored(out, "a_done")[:] == 1, stored(out)[:] > 0)
    writer.close(completed=stop == image.n_tiles)
    expected = np.zeros(image.layout.output_shape, bool)
    for tile in order[:stop]:
        expected[image.block(tile)] = True
    np.testing.assert_array_equal(stored(out, "a_done")[:] == 1, expected)


def test_what_stands_in_the_way(tmp_path: Path, volume: Any) -> None:
    (tmp_path / "in_output.zarr").mkdir()
    (tmp_path / "in_output.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is no Zarr store"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    shutil.rmtree(tmp_path / "in_output.zarr")
    zarr.create_array(tmp_path / "in_output.zarr", shape=(3,), dtype="u1")
    with pytest.raises(FileExistsError, match="is one array, no group"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    for nonsense in ("3", "[]", '{"node_type": "group"'):
        (tmp_path / "in_output.zarr" / "zarr.json").write_text(nonsense)
        with pytest.raises(FileExistsError, match=r"exists and cannot be read \(") as caught:
            WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
        assert "\n" not in str(caught.value)
    shutil.rmtree(tmp_path / "in_output.zarr")
    zarr.create_group(tmp_path / "in_output.zarr").create_group("g").create_array(
        "a_done", shape=(3,), dtype="u1"
    )
    with pytest.raises(FileExistsError, match="a_done stands where the mask"):
        WriteTilesZarr(dtype="uint8").write_batch(tmp_path, volume.tiles([0]))
    WriteTilesZarr().write_batch(tmp_path, volume.tiles())
    assert stored(tmp_path, "a_done").shape == (3,)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kind", ["array", "group"])
def test_what_is_no_mask_of_the_array_stays_when_that_is_replaced(
    tmp_path: Path, volume: Any, hashes: Any, kind: str
) -> None:
    WriteTilesZarr().write_batch(tmp_path, volume.tiles())
    group = zarr.open_group(tmp_path / "in_output.zarr" / "g")
    mine = group if kind == "array" else group.create_group("a_done")
    mine.create_array("a_done" if kind == "array" else "mine", shape=(3,), dtype="u1")[:] = 7
    before = hashes(tmp_path)
    with pytest.raises(FileExistsError, match="a_done stands where the mask") as caught:
        WriteTilesZarr(dtype="uint8", overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    assert "\n" not in str(caught.value)
    assert hashes(tmp_path) == before
    WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles())
    kept = "g/a_done" if kind == "array" else "g/a_done/mine"
    root = zarr.open_group(tmp_path / "in_output.zarr", mode="r")
    np.testing.assert_array_equal(root[kept][:], 7)


def test_a_mask_is_not_replaced_by_an_image_of_its_name(
    tmp_path: Path, volume: Any, tiled_image: Any, hashes: Any
) -> None:
    WriteTilesZarr(dtype="uint8").write_batch(tmp_path, volume.tiles())
    before = hashes(tmp_path)
    beside = tiled_image("YX", (20, 20), (16, 16), (4, 4), source="/data/in.zarr/g/a_done")
    with pytest.raises(FileExistsError, match="says what is done of a: choose another folder"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, beside.tiles())
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("names", [("a", "a_done"), ("a_done", "a")])
def test_images_named_like_masks_and_the_masks_get_places_of_their_own(
    tmp_path: Path, tiled_image: Any, names: tuple[str, str]
) -> None:
    images = [
        tiled_image("YX", (20, 20), (16, 16), (4, 4), source=f"/data/in.zarr/g/{name}", seed=seed)
        for seed, name in enumerate(names)
    ]
    writer = WriteTilesZarr(dtype="uint8", overwrite=True)
    for image in images:
        writer.write_batch(tmp_path, image.tiles())
    second = f"{names[1]}_0"
    for name, image in zip((names[0], second), images, strict=True):
        rounded = np.rint(image.expected).clip(0, 255)
        np.testing.assert_array_equal(stored(tmp_path, name)[:], rounded)
        np.testing.assert_array_equal(stored(tmp_path, f"{name}_done")[:], 1)


def test_replacing_integers_by_floats_takes_the_mask_away(tmp_path: Path, volume: Any) -> None:
    WriteTilesZarr(dtype="uint8").write_batch(tmp_path, volume.tiles())
    WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles())
    np.testing.assert_array_equal(stored(tmp_path)[:], volume.expected)
    assert sorted(p.name for p in (tmp_path / "in_output.zarr" / "g").iterdir()) == [
        "a",
        "zarr.json",
    ]
