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
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing import WriteStrategy, WriteTilesZarr, read_unfinished
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.places.target import Target

METADATA = ImageMetadata(
    axes="TCZYX",
    scale=(2.0, 1.0, 0.5, 0.1, 0.1),
    units=("second", None, "micrometer", "micrometer", "micrometer"),
    translation=(0.0, 0.0, 0.0, 5.0, 0.0),
    channel_names=("DAPI", "GFP"),
)


@pytest.fixture
def volume(tiled_image: Any) -> Any:
    """A 2D model on TCZYX: C and Z folded, more tiles than chunks end on."""
    return tiled_image("TCZYX", (2, 2, 3, 61, 47), (24, 24), (8, 8), fold="ZC", metadata=METADATA)


def write(path: Path, image: Any, *, order: Any = None, batch: int = 3, **options: Any) -> None:
    run_options = {
        name: options.pop(name) for name in ("output_dtype", "resume") if name in options
    }
    writer = WriteTilesZarr(path, chunks=(20, 30), **options)
    assert isinstance(writer, WriteStrategy)
    writer.open(image.run(**run_options))
    tiles = image.tiles(order)
    for start in range(0, len(tiles), batch):
        writer.write_batch(path.parent, tiles[start : start + batch])
    writer.close(completed=order is None or len(order) == image.n_tiles)


def read_back(path: Path, image: Any) -> tuple[np.ndarray, np.ndarray]:
    """The array as plain zarr gives it, and what it should be."""
    on_disk = zarr.open_array(str(path / "0"), mode="r")[:]
    order = OmeOrder(image.region.axes, image.region.selected_shape)
    expected = order.to_disk(image.expected)
    assert on_disk.shape == expected.shape
    return np.asarray(on_disk), expected


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
    write(_made(tmp_path, "a"), volume)
    backwards = list(range(volume.n_tiles))[::-1]
    write(_made(tmp_path, "b"), volume, order=backwards, batch=1)
    shuffled = np.random.default_rng(3).permutation(volume.n_tiles).tolist()
    write(_made(tmp_path, "c"), volume, order=shuffled, batch=7, memory_limit=3000)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b") == hashes(tmp_path / "c")


def _made(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path / name / "x.ome.zarr"


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("stopped_by", ["cancel", "kill", "kill after flush"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    tmp_path: Path, volume: Any, hashes: Any, dtype: str, stopped_by: str
) -> None:
    output_dtype = np.dtype(dtype)
    write(_made(tmp_path, "whole"), volume, output_dtype=output_dtype)
    path = _made(tmp_path, "parts")
    rng = np.random.default_rng(7)
    order = rng.permutation(volume.n_tiles).tolist()
    done: set[int] = set()
    for stop in (5, 40, 41, volume.n_tiles):
        writer = WriteTilesZarr(path, chunks=(20, 30))
        writer.open(volume.run(output_dtype=output_dtype, resume=path.exists()))
        for tile in [tile for tile in order[:stop] if tile not in done]:
            writer.write_batch(tmp_path, [volume.tile(tile)])
        if stop == volume.n_tiles:
            writer.close(completed=True)
            break
        if stopped_by == "cancel":
            writer.close(completed=False)
        else:
            if stopped_by == "kill after flush":
                writer.flush()
            # as the system does with the locks of a process that is gone
            writer._image._lock.release()
        (path / "0" / f"c.{'0f' * 16}.partial").touch()
        stored = read_unfinished(path)
        assert stored is not None
        assert not stored.completed
        if stopped_by != "kill":
            assert sorted(stored.done) == sorted(order[:stop])
        assert set(stored.done) <= set(order[:stop])
        assert done <= set(stored.done)
        done = set(stored.done)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


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


def test_resuming_what_is_complete_changes_nothing(
    tmp_path: Path, volume: Any, hashes: Any
) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume)
    before = hashes(path)
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.done == list(range(volume.n_tiles))
    write(path, volume, resume=True)
    assert hashes(path) == before


def test_another_run_is_not_resumed(tmp_path: Path, volume: Any, hashes: Any) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume, order=[0])
    before = hashes(path)
    plan = {
        "fingerprint_of": {"patch_size": [32, 32], "model_name": "blur"},
        "settings": {"batch_size": 4},
    }
    writer = WriteTilesZarr(path)
    with pytest.raises(ValueError, match=r"patch_size \(\[24, 24\] there, \[32, 32\] now\) d") as e:
        writer.open(volume.run(resume=True, plan=plan, fingerprint="beef"))
    assert "batch_size" not in str(e.value)
    assert "overwrite it" in str(e.value)
    assert "\n" not in str(e.value)
    with pytest.raises(ValueError, match="the image or the model differs"):
        writer.open(volume.run(resume=True, fingerprint="beef"))
    assert hashes(path) == before


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


def test_a_store_killed_while_it_was_made_is_resumed(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume, order=[0])
    group = zarr.open_group(str(path))
    del group["0"]
    del group["tessera_ledger"]
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.done == []
    write(path, volume, resume=True)
    on_disk, expected = read_back(path, volume)
    np.testing.assert_array_equal(on_disk, expected)


def test_integers_are_rounded_clipped_and_counted(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume, output_dtype=np.dtype("uint8"))
    on_disk, expected = read_back(path, volume)
    rounded = np.rint(expected)
    np.testing.assert_array_equal(on_disk, np.clip(rounded, 0, 255))
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.clipped_pixels == ((rounded < 0) | (rounded > 255)).sum() > 0


def test_a_full_disk_surfaces_as_itself_and_the_run_goes_on_later(
    tmp_path: Path, volume: Any, hashes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(_made(tmp_path, "whole"), volume)
    path = _made(tmp_path, "parts")
    writes = 0

    async def full(self: LocalStore, key: str, value: Any) -> None:
        nonlocal writes
        writes += key.startswith("0/c/")
        if writes > 10 and key.startswith("0/c/"):
            raise OSError(28, "No space left on device")
        await original(self, key, value)

    original = LocalStore.set
    writer = WriteTilesZarr(path, chunks=(20, 30))
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", full)
        writer.open(volume.run())
        with pytest.raises(OSError, match=r"no space left on .* tiles are saved; make") as caught:
            writer.write_batch(tmp_path, volume.tiles())
        assert "\n" not in str(caught.value)
        assert caught.value.errno == 28
        with pytest.raises(OSError, match="no space left on"):
            writer.close(completed=False)
    stored = read_unfinished(path)
    assert stored is not None
    assert not stored.completed
    assert f"{len(stored.done)} tiles are saved" in str(caught.value)
    assert len(stored.done) > 2
    write(path, volume, resume=True)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


def test_what_was_held_is_saved_if_the_disk_takes_it_after_all(
    tmp_path: Path, volume: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(self: LocalStore, key: str, value: Any) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.ome.zarr"
    writer = WriteTilesZarr(path, chunks=(61, 47))
    writer.open(volume.run())
    tiles = volume.tiles()
    writer.write_batch(tmp_path, tiles[:8])
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", failing)
        with pytest.raises(OSError, match="no space left on"):
            writer.write_batch(tmp_path, tiles[8:13])
    writer.close(completed=False)
    stored = read_unfinished(path)
    assert stored is not None
    assert set(range(8)) <= set(stored.done) < set(range(13))
    on_disk, expected = read_back(path, volume)
    np.testing.assert_array_equal(on_disk[0, 0, 0], expected[0, 0, 0])


def test_tiles_that_a_failed_write_lost_are_not_passed_over(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.ome.zarr"
    write(path, volume, order=[0, 1])
    done = bytearray(volume.n_tiles)
    done[:4] = b"\1\1\1\1"
    with pytest.raises(ValueError, match="2 tiles that this run counts as done are not in"):
        WriteTilesZarr(path).open(volume.run(resume=True, done=done))
    done[2:4] = b"\0\0"
    WriteTilesZarr(path).open(volume.run(resume=True, done=done))


def test_smaller_levels_of_a_finished_image_are_whole_after_any_error(
    tiled_image: Any,
) -> None:
    image = tiled_image("YX", (600, 600), (300, 600), (0, 0))

    class Failing(MemoryStore):
        bad = False

        async def delete(self, key: str) -> None:
            if self.bad and key.startswith("1/c"):
                raise PermissionError("no")
            await super().delete(key)

    store = Failing()
    writer = WriteTilesZarr(store, chunks=(600, 600))
    writer.open(image.run())
    writer.write_batch(Path(), image.tiles([0]))
    writer.flush()
    store.bad = True
    with pytest.raises(OSError, match="no"):
        writer.write_batch(Path(), image.tiles([1]))
    with pytest.raises(OSError, match="no"):
        writer.close(completed=False)
    store.bad = False
    stored = read_unfinished(store)
    assert stored is not None
    assert list(stored.done) == [0]
    writer = WriteTilesZarr(store)
    writer.open(image.run(resume=True, done=bytearray([1, 0])))
    writer.write_batch(Path(), image.tiles([1]))
    writer.close(completed=True)
    group = zarr.open_group(store, mode="r")
    assert group.attrs.asdict()["napari_tessera"]["state"] == "finished"
    means = image.expected.reshape(300, 2, 300, 2).mean(axis=(1, 3), dtype=np.float64)
    np.testing.assert_allclose(group["1"][:], means, rtol=1e-6)


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
