"""Places inside one another: only one of them is written at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_tessera import predict_to_disk
from napari_tessera.prediction import Progress
from napari_tessera.writing.places.file_lock import is_held
from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.places.nested import lock_path, place_around, place_inside


def test_a_place_inside_one_that_is_written_is_refused(tmp_path: Path) -> None:
    outer = tmp_path / "outer.zarr"
    zarr.create_group(outer).create_group("a")
    inner = outer / "a" / "in.ome.zarr"
    with lock_store(outer):
        with pytest.raises(StoreBusyError) as caught:
            lock_store(inner)
        assert str(caught.value) == (
            f"{inner} lies inside {outer}, which is being written by another run of this program: "
            "wait or choose another place"
        )
        assert not lock_path(inner).exists()
        lock_store(tmp_path / "beside.zarr").release()
    lock_store(inner).release()


def test_a_place_around_one_that_is_written_is_refused(tmp_path: Path) -> None:
    outer = tmp_path / "outer.zarr"
    zarr.create_group(outer).create_group("c").create_group("0")
    inner = outer / "c" / "0" / "in.ome.zarr"
    with lock_store(inner):
        with pytest.raises(StoreBusyError) as caught:
            lock_store(outer)
        assert str(caught.value) == (
            f"{outer} holds {inner}, which is being written by another run of this program: wait "
            "or choose another name"
        )
        assert not lock_path(outer).exists()
    lock_store(outer).release()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["outer.zarr"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_lead_to_the_same_place(tmp_path: Path) -> None:
    outer = tmp_path / "outer.zarr"
    outer.mkdir()
    (tmp_path / "link").symlink_to(outer)
    with lock_store(outer), pytest.raises(StoreBusyError, match="lies inside"):
        lock_store(tmp_path / "link" / "in.zarr")


def test_locks_of_killed_writers_keep_no_one_out(tmp_path: Path) -> None:
    outer = tmp_path / "outer.zarr"
    inner = outer / "in.zarr"
    inner.mkdir(parents=True)
    for place in (outer, inner):
        lock_path(place).write_text("")
    (outer / ".lock").write_text("")
    (outer / "..lock").write_text("")
    assert place_around(inner) is None
    assert place_inside(outer) is None
    assert not is_held(tmp_path / "none")
    lock_store(outer).release()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_are_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zarr_format: int
) -> None:
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=zarr_format)
    keys = {"name": "v2" if zarr_format == 2 else "default", "separator": "/"}
    array = group.create_array(
        "0", shape=(8, 8), chunks=(1, 1), dtype="u1", chunk_key_encoding=keys
    )
    array[:] = 1
    seen = []
    really_scan = os.scandir

    def scan(path: str) -> object:
        seen.append(str(path))
        return really_scan(path)

    monkeypatch.setattr(os, "scandir", scan)
    assert place_inside(tmp_path / "a.zarr") is None
    assert 0 < len(seen) <= 2


def test_a_run_neither_replaces_a_store_in_which_another_writes_nor_writes_into_its_image(
    tmp_path: Path,
) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (300, 300)).astype(np.uint16)
    outer = tmp_path / "outer.zarr"
    predict_to_disk(image, _half, outer, patch_size=128)
    inner = outer / "in.ome.zarr"
    refused: list[str] = []

    def disturb(state: Progress) -> None:
        if refused or state.done == state.total:
            return
        for place in (outer, inner / "0.zarr"):
            # a store that holds more than an image is never replaced at all
            with pytest.raises((StoreBusyError, FileExistsError)) as caught:
                predict_to_disk(image, _half, place, patch_size=128, overwrite=True)
            refused.append(str(caught.value))

    predict_to_disk(image, _half, inner, patch_size=128, batch_size=1, progress=disturb)
    assert refused[0].startswith(str(outer))
    assert refused[1].startswith(f"{inner / '0.zarr'} lies inside {inner}")
    pixels = zarr.open_group(inner, mode="r")["0"]
    np.testing.assert_array_equal(np.asarray(pixels), image / np.float32(2))


def _half(x: Any) -> Any:
    return x / 2
