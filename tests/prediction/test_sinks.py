"""Writers of one run: all are asked before the first makes or deletes anything."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_tessera import predict, predict_to_disk
from napari_tessera.prediction import Progress, sinks
from napari_tessera.prediction.sinks import writer_threads
from napari_tessera.writing import CachedTiles, WriteStrategy, WriteTilesZarr, write_npy


def half(x: Any) -> Any:
    return x / 2


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, (300, 300)).astype(np.uint16)


def test_nothing_is_replaced_where_another_writer_refuses(
    tmp_path: Path, image: np.ndarray
) -> None:
    place, other = tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr"
    for path in (place, other):
        predict_to_disk(image, half, path, patch_size=128)
    before = np.asarray(zarr.open_group(place, mode="r")["0"])
    out = tmp_path / "out"

    def others() -> list[WriteStrategy]:
        return [CachedTiles(write_npy, ".npy"), WriteTilesZarr()]

    predict(image, half, writers=[(writer, out) for writer in others()])
    refusing: list[tuple[WriteStrategy, type[Exception]]] = [
        *((writer, FileExistsError) for writer in others()),
        (WriteTilesZarr(tmp_path / "none" / "b.ome.zarr"), FileNotFoundError),
        (WriteTilesZarr(other), FileExistsError),
    ]
    for writer, error in refusing:
        with pytest.raises(error):
            predict_to_disk(
                image, half, place, patch_size=128, overwrite=True, writers=[(writer, out)]
            )
        group = zarr.open_group(place, mode="r")
        assert group.attrs["napari_tessera"]["state"] == "finished"  # type: ignore[index, call-overload]
        np.testing.assert_array_equal(np.asarray(group["0"]), before)
    assert list(tmp_path.glob(".*")) == []


def test_relative_folders_of_writers_stay_those_of_the_beginning(
    tmp_path: Path, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    for folder in (there, elsewhere):
        folder.mkdir()
    monkeypatch.chdir(there)

    def go_away(_: Progress) -> None:
        os.chdir(elsewhere)

    predict(
        image,
        half,
        patch_size=128,
        writers=[(CachedTiles(write_npy, ".npy"), "out"), (WriteTilesZarr(), "out")],
        progress=go_away,
    )
    assert list(elsewhere.iterdir()) == []
    assert sorted(path.suffix for path in (there / "out").iterdir()) == [".npy", ".zarr"]


@pytest.mark.parametrize(
    ("cores", "threads"), [(1, 1), (2, 1), (4, 1), (5, 2), (8, 3), (16, 4), (128, 4)]
)
def test_cores_are_left_to_the_window_and_the_model(cores: int, threads: int) -> None:
    assert writer_threads(cores) == threads


def test_the_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "usable_cores", lambda: 8)
    assert writer_threads() == 3


@pytest.mark.parametrize("dtype", ["float32", "same"])
def test_threads_that_store_chunks_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: np.ndarray, dtype: str
) -> None:
    files: list[dict[str, bytes]] = []
    for n_threads in (1, 3):
        folder = tmp_path / str(n_threads)
        folder.mkdir()
        monkeypatch.setattr(sinks, "writer_threads", lambda n=n_threads: n)
        predict_to_disk(
            image,
            half,
            folder / "a.ome.zarr",
            patch_size=64,
            overlaps=16,
            chunks=64,
            output_dtype=dtype,
            writers=[(WriteTilesZarr(dtype=dtype), folder)],
        )
        assert not [thread for thread in threading.enumerate() if "pack" in thread.name]
        files.append(
            {
                file.relative_to(folder).as_posix(): file.read_bytes()
                for file in folder.rglob("*")
                if file.is_file() and file.name[0] != "z"
            }
        )
    assert files[0] == files[1]
    assert len(files[0]) > 25
