"""Tiles into an OME-Zarr image: what is written, and what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yaozarrs import v05, validate_zarr_store
from zarr.abc.store import Store
from zarr.storage import LocalStore

from napari_tessera.writing import WriteTilesZarr, read_unfinished
from napari_tessera.writing.places.target import Target

from .zarr_runs import METADATA, made, read_back, write


def test_the_image_is_valid_and_holds_what_was_predicted(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "cells_denoised.ome.zarr"
    write(path, volume)
    on_disk, expected = read_back(path, volume)
    np.testing.assert_array_equal(on_disk, expected)

    validate_zarr_store(str(path))
    attributes = zarr.open_group(str(path), mode="r").attrs.asdict()
    ome = v05.Image.model_validate(attributes["ome"])
    multiscale = ome.multiscales[0]
    assert multiscale.name == "cells_denoised"
    assert [axis.type for axis in multiscale.axes] == ["time", "channel", *["space"] * 3]
    assert multiscale.datasets[0].scale_transform.scale == list(METADATA.scale or ())
    assert multiscale.datasets[0].translation_transform is not None
    assert multiscale.datasets[0].translation_transform.translation == [0, 0, 0, 5, 0]
    assert ome.omero is not None
    assert [channel.label for channel in ome.omero.channels] == ["DAPI", "GFP"]

    ours = attributes["napari_tessera"]
    assert ours["completed"] is True
    assert ours["plan"]["fingerprint_of"]["model_name"] == "blur"
    assert (ours["axes"], ours["shape"]) == ("TCZYX", [2, 2, 3, 61, 47])
    assert sorted(entry.name for entry in path.iterdir()) == ["0", "zarr.json"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_axes_fold_and_region_in_any_order(
    data: st.DataObject, tiled_image: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sizes = {"S": 2, "T": 2, "C": 2, "Z": 2, "Y": 19, "X": 13}
    optional = data.draw(st.lists(st.sampled_from("STCZ"), unique=True))
    axes = "".join(data.draw(st.permutations([*optional, "Y", "X"])))
    fold = data.draw(st.sampled_from(["", "Z", "C", "ZC"]))
    n_spatial = 2 if "Z" in fold or "Z" not in axes else 3
    channels = None if "C" in fold else data.draw(st.sampled_from([None, 1, 3]))
    selection: dict[str, Any] = {}
    for letter in data.draw(st.sets(st.sampled_from(axes))):
        size = channels if letter == "C" and channels else sizes[letter]
        start = data.draw(st.integers(0, size - 1))
        selection[letter] = slice(start, data.draw(st.integers(start + 1, size)))
    image = tiled_image(
        axes,
        [sizes[letter] for letter in axes],
        (8,) * n_spatial,
        (2,) * n_spatial,
        fold=fold,
        channels=channels,
        selection=selection,
    )
    path = tmp_path_factory.mktemp("any") / "out.ome.zarr"
    order = data.draw(st.permutations(range(image.n_tiles)))
    write(path, image, order=order)
    on_disk, expected = read_back(path, image)
    np.testing.assert_array_equal(on_disk, expected)
    validate_zarr_store(str(path))
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.completed


@pytest.fixture
def counted(
    monkeypatch: pytest.MonkeyPatch, counting_store: Callable[..., Any]
) -> Iterator[Counter[str]]:
    sets: Counter[str] = Counter()

    def open_store(target: Target) -> Store:
        store: Store = counting_store(LocalStore(target.folder), sets)
        return store

    monkeypatch.setattr("napari_tessera.writing.stored.image_store.open_store", open_store)
    return sets


def test_each_chunk_is_written_once(tmp_path: Path, volume: Any, counted: Counter[str]) -> None:
    write(tmp_path / "a.ome.zarr", volume)
    chunks = {key: n for key, n in counted.items() if key.startswith("0/c/")}
    assert len(chunks) == 2 * 2 * 3 * 4 * 2
    assert set(chunks.values()) == {1}
    assert counted["0/zarr.json"] == 1


def test_order_and_batches_do_not_change_a_byte(tmp_path: Path, volume: Any, hashes: Any) -> None:
    write(made(tmp_path, "a"), volume)
    backwards = list(range(volume.n_tiles))[::-1]
    write(made(tmp_path, "b"), volume, order=backwards, batch=1)
    shuffled = np.random.default_rng(3).permutation(volume.n_tiles).tolist()
    write(made(tmp_path, "c"), volume, order=shuffled, batch=7, memory_limit=3000)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b") == hashes(tmp_path / "c")


def test_an_unfinished_image_is_readable_and_says_so(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume, order=[0, 1])
    on_disk, expected = read_back(path, volume)
    filled = ~np.isnan(on_disk)
    assert 0 < filled.sum() < filled.size
    np.testing.assert_array_equal(on_disk[filled], expected[filled])
    validate_zarr_store(str(path))
    stored = read_unfinished(path)
    assert stored is not None
    assert (stored.completed, stored.total_tiles, stored.done) == (False, volume.n_tiles, [0, 1])


def test_a_run_that_says_completed_without_all_tiles_is_not(tmp_path: Path, volume: Any) -> None:
    writer = WriteTilesZarr(tmp_path / "a.ome.zarr")
    writer.open(volume.run())
    writer.write_batch(tmp_path, volume.tiles([0]))
    writer.close(completed=True)
    stored = read_unfinished(tmp_path / "a.ome.zarr")
    assert stored is not None
    assert not stored.completed


def test_what_is_there_is_kept_or_replaced_as_asked(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume, order=[0, 1, 2])
    with pytest.raises(FileExistsError, match="resume it, overwrite it"):
        WriteTilesZarr(path).open(volume.run())
    (path / "0" / "c" / "old").mkdir()
    write(path, volume, overwrite=True)
    assert not (path / "0" / "c" / "old").exists()
    with pytest.raises(FileExistsError, match=r"exists: overwrite it") as caught:
        WriteTilesZarr(path).open(volume.run())
    assert "resume it" not in str(caught.value)


def test_a_wrong_setting_deletes_nothing(tmp_path: Path, volume: Any, hashes: Any) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume)
    before = hashes(path)
    with pytest.raises(ValueError, match="chunks"):
        WriteTilesZarr(path, overwrite=True, chunks=(0, 1)).open(volume.run())
    with pytest.raises(ValueError, match="holds the input"):
        WriteTilesZarr(path, overwrite=True).open(volume.run(source=str(path / "0")))
    assert hashes(path) == before


def test_integers_are_rounded_clipped_and_counted(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume, output_dtype=np.dtype("uint8"))
    on_disk, expected = read_back(path, volume)
    rounded = np.rint(expected)
    np.testing.assert_array_equal(on_disk, np.clip(rounded, 0, 255))
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.clipped_pixels == ((rounded < 0) | (rounded > 255)).sum() > 0


def test_a_store_path_needs_a_run(tmp_path: Path, volume: Any) -> None:
    writer = WriteTilesZarr(tmp_path / "a.ome.zarr")
    with pytest.raises(ValueError, match=r"call open\(run\) first"):
        writer.write_batch(tmp_path, volume.tiles([0]))
    with pytest.raises(ValueError, match="no OME-Zarr image is open"):
        _ = writer.array
    writer.close(completed=False)
    assert list(tmp_path.iterdir()) == []


def test_the_array_is_there_while_the_run_goes(tmp_path: Path, volume: Any) -> None:
    writer = WriteTilesZarr(tmp_path / "a.ome.zarr")
    writer.open(volume.run())
    writer.write_batch(tmp_path, volume.tiles())
    writer.flush()
    assert writer.array.shape == (2, 2, 3, 61, 47)
    assert writer.array.chunks == (1, 1, 1, 61, 47)
    assert np.isfinite(writer.array[:]).all()
    writer.close(completed=True)
