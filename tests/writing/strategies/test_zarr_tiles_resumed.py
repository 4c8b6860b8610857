"""Runs into an OME-Zarr image that were stopped, killed or had no room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.writing import WriteTilesZarr, read_unfinished

from .zarr_runs import made, read_back, write


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("stopped_by", ["cancel", "kill", "kill after flush"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    tmp_path: Path, volume: Any, hashes: Any, dtype: str, stopped_by: str
) -> None:
    output_dtype = np.dtype(dtype)
    write(made(tmp_path, "whole"), volume, output_dtype=output_dtype)
    path = made(tmp_path, "parts")
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
    with pytest.raises(ValueError, match=r"patch size \(24,24 there, 32,32 now\) d") as e:
        writer.open(volume.run(resume=True, plan=plan, fingerprint="beef"))
    assert "batch_size" not in str(e.value)
    assert "overwrite it" in str(e.value)
    assert "\n" not in str(e.value)
    with pytest.raises(ValueError, match="what it says of its run was changed"):
        writer.open(volume.run(resume=True, fingerprint="beef"))
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


def test_a_full_disk_surfaces_as_itself_and_the_run_goes_on_later(
    tmp_path: Path, volume: Any, hashes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(made(tmp_path, "whole"), volume)
    path = made(tmp_path, "parts")
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
