"""An array whose run was stopped or killed, and what is not gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

from napari_tessera.writing import WriteTilesZarr

from ..dying import die_at_write
from .zarr_runs import SOURCE, run_into, said, stored


@pytest.mark.parametrize("dtype", [None, "uint8"])
@pytest.mark.parametrize("stopped_by", ["cancel", "kill", "kill after flush"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    tmp_path: Path, tiled_image: Any, hashes: Any, dtype: str | None, stopped_by: str
) -> None:
    image = tiled_image("TYX", (2, 61, 47), (24, 24), (8, 8), source=SOURCE)
    options: dict[str, Any] = {"dtype": dtype, "chunks": (20, 30)}
    run_into(tmp_path / "whole", image, **options)
    out = tmp_path / "parts"
    order = np.random.default_rng(7).permutation(image.n_tiles).tolist()
    done: set[int] = set()
    for stop in (3, 15, 16, image.n_tiles):
        writer = WriteTilesZarr(**options)
        before = writer.stored_run(out, SOURCE)
        assert (before is None) == (not out.exists())
        writer.open(image.run(dirpath=out, resume=before is not None))
        for tile in [tile for tile in order[:stop] if tile not in done]:
            writer.write_batch(out, [image.tile(tile)])
        if stop == image.n_tiles:
            writer.close(completed=True)
            break
        if stopped_by == "cancel":
            writer.close(completed=False)
        else:
            if stopped_by == "kill after flush":
                writer.flush()
            killed(writer)
        left = WriteTilesZarr().stored_run(out, SOURCE)
        assert left is not None
        assert not left.completed
        if stopped_by != "kill":
            assert sorted(left.done) == sorted(order[:stop])
        assert done <= set(left.done) <= set(order[:stop])
        done = set(left.done)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    left = WriteTilesZarr().stored_run(out, SOURCE)
    assert left is not None
    assert left.completed
    assert left.done == list(range(image.n_tiles))


def killed(writer: WriteTilesZarr) -> None:
    """What the system does to a killed process: its locks go, nothing more is written."""
    for lock, _ in writer._arrays._locks.values():
        lock.release()


def test_a_run_whose_array_is_finished_changes_nothing(
    tmp_path: Path, volume: Any, hashes: Any
) -> None:
    run_into(tmp_path, volume)
    before = hashes(tmp_path)
    writer = WriteTilesZarr()
    writer.open(volume.run(dirpath=tmp_path, resume=True))
    writer.write_batch(tmp_path, volume.tiles()[:3])
    writer.close(completed=True)
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("readable", [0, 3])
def test_a_run_that_was_stopped_while_channels_were_copied(
    tmp_path: Path, tiled_image: Any, readable: int
) -> None:
    shape = (2, 61, 47)
    pixels = np.random.default_rng(0).integers(1, 65535, shape).astype(np.uint16)
    image = tiled_image(
        "CYX", shape, (24, 24), (8, 8), fold="C", source=SOURCE, selection={"C": [1]}
    )

    reads = 0

    def unreadable(block: tuple[slice, ...]) -> Any:
        nonlocal reads
        reads += 1
        if reads > readable:
            raise OSError("the disk is gone")
        return pixels[block]

    writer = WriteTilesZarr(chunks=(20, 30))
    writer.open(image.run(dirpath=tmp_path, read_input=unreadable))
    with pytest.raises(OSError, match="the disk is gone"):
        writer.write_batch(tmp_path, image.tiles())
    reads = 0
    with pytest.raises(OSError, match="the disk is gone"):
        writer.close(completed=False)
    assert said(tmp_path)["state"] == "stopped"
    left = writer.stored_run(tmp_path, SOURCE)
    assert left is not None
    assert (left.completed, len(left.done)) == (False, image.n_tiles)
    done = bytearray(b"\1" * image.n_tiles)
    writer.open(image.run(dirpath=tmp_path, resume=True, done=done, read_input=pixels.__getitem__))
    writer.close(completed=True)
    np.testing.assert_array_equal(stored(tmp_path)[0], pixels[0])
    np.testing.assert_array_equal(stored(tmp_path)[1], image.expected[0])
    assert said(tmp_path)["state"] == "finished"


@pytest.mark.parametrize("damage", ["deleted", "emptied"])
@pytest.mark.parametrize(("dtype", "damaged"), [(None, "a"), ("uint8", "a"), ("uint8", "a_done")])
def test_what_was_lost_of_an_array_is_predicted_again(
    tmp_path: Path, tiled_image: Any, dtype: str | None, damaged: str, damage: str
) -> None:
    selection = {"T": [1], "Y": slice(5, 61)}
    image = tiled_image("TYX", (3, 61, 47), (24, 24), (8, 8), source=SOURCE, selection=selection)
    options: dict[str, Any] = {"dtype": dtype, "chunks": (20, 30)}
    run_into(tmp_path, image, range(6), completed=False, **options)
    chunk = tmp_path / "in_output.zarr" / "g" / damaged / "c" / "1" / "0" / "0"
    if damage == "deleted":
        chunk.unlink()
    else:
        chunk.write_bytes(b"")
    done = bytearray(b"\1" * 6 + bytes(image.n_tiles - 6))
    asked: list[int] = []
    writer = WriteTilesZarr(**options)
    with pytest.raises(ValueError, match="tiles that this run counts as done are not in"):
        writer.open(image.run(dirpath=tmp_path, resume=True, done=done))
    writer.open(image.run(dirpath=tmp_path, resume=True, done=done, predict_again=asked.extend))
    assert 0 in asked
    assert set(asked) < set(range(6))
    for tile in (*asked, *range(6, image.n_tiles)):
        writer.write_batch(tmp_path, [image.tile(tile)])
    writer.close(completed=True)
    assert said(tmp_path)["state"] == "finished"
    found = stored(tmp_path)[1:2, 5:]
    wanted = image.expected if dtype is None else np.rint(image.expected).clip(0, 255)
    np.testing.assert_array_equal(found, wanted)
    if dtype is not None:
        np.testing.assert_array_equal(stored(tmp_path, "a_done")[1:2, 5:], 1)


def test_an_array_whose_mask_is_gone_is_not_gone_on_with(
    tmp_path: Path, volume: Any, hashes: Any
) -> None:
    run_into(tmp_path, volume, [0, 1], completed=False, dtype="uint8")
    shutil.rmtree(tmp_path / "in_output.zarr" / "g" / "a_done")
    before = hashes(tmp_path)
    with pytest.raises(ValueError, match="a_done beside it, which says what is done, is gone;"):
        WriteTilesZarr(dtype="uint8").open(volume.run(dirpath=tmp_path, resume=True))
    assert hashes(tmp_path) == before


def test_what_does_not_agree_is_not_gone_on_with(tmp_path: Path, volume: Any, hashes: Any) -> None:
    run_into(tmp_path, volume, [0, 1], completed=False)
    before = hashes(tmp_path)
    plan = {"fingerprint_of": {"patch_size": [32, 32], "model_name": "blur"}, "settings": {}}
    with pytest.raises(ValueError, match=r"patch size \(24,24 there, 32,32 now\)"):
        WriteTilesZarr().open(
            volume.run(dirpath=tmp_path, resume=True, plan=plan, fingerprint="beef")
        )
    with pytest.raises(ValueError, match=r"it is float32 .*, uint8 .* is asked for") as caught:
        WriteTilesZarr(dtype="uint8").open(volume.run(dirpath=tmp_path, resume=True))
    assert "\n" not in str(caught.value)
    with pytest.raises(FileExistsError, match="exists: resume its run, choose another folder"):
        WriteTilesZarr().open(volume.run(dirpath=tmp_path))
    with pytest.raises(FileExistsError, match="exists: resume its run"):
        WriteTilesZarr().write_batch(tmp_path, volume.tiles([0]))
    with pytest.raises(ValueError, match="resume and overwrite exclude each other"):
        WriteTilesZarr(overwrite=True).open(volume.run(dirpath=tmp_path, resume=True))
    with pytest.raises(
        ValueError,
        match=r"1 tiles that this run counts as done are not in .*, or leave this writer out",
    ):
        WriteTilesZarr().open(
            volume.run(dirpath=tmp_path, resume=True, done=bytearray(b"\1\1\1" + bytes(141)))
        )
    assert hashes(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("there", ["nothing", "store", "array"])
def test_a_run_that_was_begun_elsewhere_is_not_joined(
    tmp_path: Path, volume: Any, hashes: Any, there: str
) -> None:
    out = tmp_path / "new" / "out"
    if there != "nothing":
        out.mkdir(parents=True)
        zarr.create_group(out / "in_output.zarr")
    if there == "array":
        WriteTilesZarr().write_batch(out, volume.tiles())
    before = hashes(tmp_path)
    run = volume.run(dirpath=out, resume=there != "array", done=bytearray(b"\1\0\1" + bytes(141)))
    message = r"2 tiles of this run are done in another place, and none of them in .*: start"
    for _ in range(2):
        with pytest.raises(ValueError, match=message) as caught:
            WriteTilesZarr(overwrite=there == "array").open(run)
        assert "\n" not in str(caught.value)
    assert hashes(tmp_path) == before
    assert sorted(tmp_path.iterdir()) == ([] if there == "nothing" else [tmp_path / "new"])


def test_an_array_of_somebody_else_is_not_gone_on_with(tmp_path: Path, volume: Any) -> None:
    group = zarr.create_group(tmp_path / "in_output.zarr").create_group("g")
    group.create_array("a", shape=(2, 2, 3, 61, 47), dtype="f4", chunks=(1, 1, 1, 61, 47))
    with pytest.raises(FileExistsError, match="exists: choose another folder") as caught:
        WriteTilesZarr().open(volume.run(dirpath=tmp_path, resume=True))
    assert "resume" not in str(caught.value)


def test_a_full_disk_says_what_is_saved_and_the_run_goes_on_later(
    tmp_path: Path, tiled_image: Any, hashes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tiled_image("TYX", (2, 61, 47), (24, 24), (8, 8), source=SOURCE)
    options: dict[str, Any] = {"dtype": "uint8", "chunks": (20, 30)}
    run_into(tmp_path / "whole", image, **options)
    out = tmp_path / "parts"
    original = LocalStore.set
    writes = 0

    async def full(self: LocalStore, key: str, value: Any) -> None:
        nonlocal writes
        writes += "/c/" in key and "ledger" not in key
        if writes > 9:
            raise OSError(28, "No space left on device")
        await original(self, key, value)

    writer = WriteTilesZarr(**options)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", full)
        writer.open(image.run(dirpath=out))
        with pytest.raises(OSError, match=r"no space left on .*a: \d+ tiles are saved") as caught:
            writer.write_batch(out, image.tiles())
        assert "\n" not in str(caught.value)
        with pytest.raises(OSError, match="no space left"):
            writer.close(completed=False)
    left = writer.stored_run(out, SOURCE)
    assert left is not None
    assert f" {len(left.done)} tiles are saved" in str(caught.value)
    assert 0 < len(left.done) < image.n_tiles
    done = bytearray(image.n_tiles)
    for tile in left.done:
        done[tile] = 1
    writer.open(image.run(dirpath=out, resume=True, done=done))
    for tile in set(range(image.n_tiles)) - set(left.done):
        writer.write_batch(out, [image.tile(tile)])
    writer.close(completed=True)
    assert hashes(out) == hashes(tmp_path / "whole")


WORK = """
image = TiledImage("TYX", (3, 61, 47), (24, 24), (8, 8), source="/data/in.zarr/g/a")
writer = WriteTilesZarr(chunks=(20, 30), dtype="uint8")
resume = writer.stored_run(path, image.source) is not None
writer.open(image.run(dirpath=path, resume=resume))
for tile in image.tiles():
    writer.write_batch(path, [tile])
"""


@pytest.mark.slow
def test_runs_killed_in_the_middle_of_a_write_go_on_to_the_same_bytes(
    tmp_path: Path, tiled_image: Any, hashes: Any
) -> None:
    image = tiled_image("TYX", (3, 61, 47), (24, 24), (8, 8), source=SOURCE)
    options: dict[str, Any] = {"dtype": "uint8", "chunks": (20, 30)}
    run_into(tmp_path / "whole", image, **options)
    out = tmp_path / "killed"
    for n_writes in (1, 2, 3, 4, 17, 26):
        die_at_write(WORK, out, n_writes)
        assert any(out.rglob("*.partial"))
    left = WriteTilesZarr().stored_run(out, SOURCE)
    assert left is not None
    assert 0 < len(left.done) < image.n_tiles
    writer = WriteTilesZarr(**options)
    writer.open(image.run(dirpath=out, resume=True))
    writer.write_batch(out, image.tiles())
    writer.close(completed=True)
    assert hashes(out) == hashes(tmp_path / "whole")
