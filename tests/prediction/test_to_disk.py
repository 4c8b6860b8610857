"""Predictions in every format and place, read back by what others read with."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import fsspec
import numpy as np
import pytest
import tifffile
import zarr
from torch import nn
from zarr.storage import FsspecStore, LocalStore, MemoryStore, StorePath, ZipStore

from napari_tessera import load_model, open_stack, plan_prediction, predict, predict_to_disk
from napari_tessera.metadata import ImageMetadata
from napari_tessera.prediction import Progress
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.stored.scratch import scratch_store

SETTINGS = {"patch_size": 64, "torch_threads": 1}


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)


@pytest.fixture(scope="module")
def model() -> Any:
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(layer.weight, 1 / 9)
    return load_model(layer.eval())


@pytest.fixture(scope="module")
def stack() -> ArrayStack:
    metadata = ImageMetadata(
        "TCYX",
        scale=(30.0, 1.0, 0.25, 0.25),
        units=("second", None, "micrometer", "micrometer"),
        channel_names=("DAPI", "GFP"),
    )
    return ArrayStack(noise((2, 2, 90, 110)), "TCYX", metadata=metadata)


@pytest.fixture(scope="module")
def expected(stack: Any, model: Any) -> np.ndarray:
    return predict(stack, model, **SETTINGS)


@pytest.mark.parametrize("memory_limit", [None, 0], ids=["in memory", "scratch"])
@pytest.mark.parametrize(
    ("name", "format"),
    [("a.ome.tif", None), ("a.tif", None), ("a.tif", "OME-TIFF"), ("a.npy", None)],
)
def test_files(
    stack: Any,
    model: Any,
    expected: Any,
    tmp_path: Path,
    name: str,
    format: str | None,
    memory_limit: int | None,
) -> None:
    path = predict_to_disk(
        stack, model, str(tmp_path / name), format=format, memory_limit=memory_limit, **SETTINGS
    )
    assert path == tmp_path / name
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    if name == "a.npy":
        np.testing.assert_array_equal(np.load(path), expected)
        return
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        for_imagej = name == "a.tif" and format is None
        assert (tiff.is_ome, tiff.is_imagej) == (not for_imagej, for_imagej)
        pixels = series.asarray().transpose([series.axes.index(letter) for letter in "TCYX"])
        np.testing.assert_array_equal(pixels, expected)


def test_a_file_of_all_axes_out_of_scratch(model: Any, tmp_path: Path) -> None:
    """Samples and planes in an odd order, more than memory is said to hold, a part of it."""
    stack = open_stack(noise((3, 70, 2, 2, 80)), "TYSZX")
    region = {"T": [0, 2], "S": 1, "Y": slice(5, 66)}
    expected = predict(stack, model, region=region, **SETTINGS)
    path = predict_to_disk(
        stack, model, tmp_path / "a.npy", region=region, memory_limit=1000, **SETTINGS
    )
    np.testing.assert_array_equal(np.load(path), expected)


@pytest.mark.parametrize("memory_limit", [None, 0], ids=["in memory", "scratch"])
def test_a_cancel_or_an_error_leaves_no_file(
    stack: Any, model: Any, tmp_path: Path, memory_limit: int | None
) -> None:
    stop = Event()

    def cancelling(state: Progress) -> None:
        if state.done:
            stop.set()

    def failing(state: Progress) -> None:
        if state.done:
            raise RuntimeError("the machine is on fire")

    for name in ("a.ome.tif", "a.npy"):
        settings = {**SETTINGS, "memory_limit": memory_limit, "batch_size": 1}
        predict_to_disk(stack, model, tmp_path / name, cancel=stop, progress=cancelling, **settings)
        with pytest.raises(RuntimeError, match="on fire"):
            predict_to_disk(stack, model, tmp_path / name, progress=failing, **settings)
    assert list(tmp_path.iterdir()) == []


def test_scratch_of_a_killed_run_goes_with_the_next(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs SIGKILL")
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from napari_tessera.writing.stored.scratch import scratch_store\n"
        "import zarr\n"
        "with scratch_store(Path(sys.argv[1])) as store:\n"
        "    zarr.create_array(store, shape=(4,), dtype='u1')[:] = 1\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    file = tmp_path / "a.tif"
    ended = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / ".a.tif.scratch").is_dir()
    with scratch_store(file) as store:
        assert not (tmp_path / ".a.tif.scratch").exists()
        zarr.create_array(store, shape=(4,), dtype="u1")
        with pytest.raises(StoreBusyError, match=rf"{file} is being written"), scratch_store(file):
            pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["memory", "url", "local", "zip"])
@pytest.mark.parametrize("ome_version", ["0.5", "0.4"])
def test_places_for_zarr(
    stack: Any, model: Any, expected: Any, tmp_path: Path, kind: str, ome_version: str
) -> None:
    url = f"memory://places-{ome_version}/a.ome.zarr"
    place = {
        "memory": MemoryStore(),
        "url": url,
        "local": LocalStore(tmp_path / "a.zarr"),
        "zip": tmp_path / "a.ome.zarr.zip",
    }[kind]
    given = predict_to_disk(stack, model, place, ome_version=ome_version, **SETTINGS)
    assert given == place
    read = {"url": FsspecStore.from_url(url, read_only=True)} if kind == "url" else {}
    if kind == "zip":
        read["zip"] = ZipStore(tmp_path / "a.ome.zarr.zip", mode="r")
    group = zarr.open_group(read.get(kind, place), mode="r")
    np.testing.assert_array_equal(group["0"][:], expected)
    ome = group.attrs["ome"] if ome_version == "0.5" else group.attrs
    assert ome["multiscales"][0]["axes"][0]["name"] == "t"
    stored = read_unfinished(place)
    assert stored is not None
    assert stored.completed
    with pytest.raises(FileExistsError, match="exists"):
        predict_to_disk(stack, model, place, **SETTINGS)
    assert not [key for key in fsspec.filesystem("memory").find("/") if "tessera_" in key]


@pytest.mark.parametrize("ome_version", ["0.5", "0.4"])
def test_a_stopped_run_in_a_store_goes_on(
    stack: Any, model: Any, expected: Any, ome_version: str
) -> None:
    stop, store = Event(), MemoryStore()
    settings = {**SETTINGS, "batch_size": 1}

    def cancelling(state: Progress) -> None:
        if state.done >= 5:
            stop.set()

    predict_to_disk(
        stack,
        model,
        store,
        ome_version=ome_version,
        cancel=stop,
        progress=cancelling,
        **settings,
    )
    stored = read_unfinished(store)
    assert stored is not None
    assert 5 <= len(stored.done) < stored.total_tiles
    assert stored.state == "stopped"
    finished: list[int] = []
    predict_to_disk(
        stack,
        model,
        store,
        resume=True,
        progress=lambda state: finished.extend(state.finished),
    )
    assert len(finished) == stored.total_tiles - len(stored.done)
    np.testing.assert_array_equal(zarr.open_group(store, mode="r")["0"][:], expected)


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.tif", "a.npy", "scratch.npy"])
def test_copied_channels(stack: Any, model: Any, expected: Any, tmp_path: Path, name: str) -> None:
    path = predict_to_disk(
        stack,
        model,
        tmp_path / name,
        region={"C": 1, "T": [1], "Y": slice(10, 80)},
        copy_channels=True,
        memory_limit=0 if name == "scratch.npy" else None,
        **SETTINGS,
    )
    if name == "a.zarr":
        result = zarr.open_group(path, mode="r")["0"][:]
    elif name == "a.ome.tif":
        result = tifffile.imread(path)[None]
        with tifffile.TiffFile(path) as tiff:
            assert tiff.ome_metadata is not None
            assert all(f'Name="{channel}"' in tiff.ome_metadata for channel in ("DAPI", "GFP"))
    else:
        result = np.load(path)
    assert result.shape == (1, 2, 70, 110)
    np.testing.assert_array_equal(result[:, 0], noise((2, 2, 90, 110))[1:, 0, 10:80])
    np.testing.assert_array_equal(result[:, 1], expected[1:, 1, 10:80])


def test_a_stored_plan_names_what_differs_when_resumed(
    stack: Any, model: Any, tmp_path: Path
) -> None:
    path, stop = tmp_path / "a.zarr", Event()
    stop.set()
    predict_to_disk(stack, model, path, cancel=stop, **SETTINGS)
    refused = rf"{path} cannot be resumed, its run is of "
    other = load_model(nn.Conv2d(1, 1, 3, padding=1))
    with pytest.raises(ValueError, match=refused + r"the model Conv2d \(.*resume with that model"):
        predict_to_disk(stack, other, path, resume=True)
    changed = ArrayStack(noise((2, 2, 90, 110)) + np.uint16(1), "TCYX")
    with pytest.raises(ValueError, match=refused + "an image with other pixels: resume with that"):
        predict_to_disk(changed, model, path, resume=True)
    wider = ArrayStack(noise((2, 2, 90, 111)), "TCYX")
    with pytest.raises(ValueError, match=refused + r"an image of shape .*110\), this one has"):
        predict_to_disk(wider, model, path, resume=True)
    fewer = ArrayStack(noise((2, 2, 90, 110)), "TCYX", channels=[1])
    way_out = r"choose channels as it did \(--channels, in Python channels="
    with pytest.raises(ValueError, match=f"{refused}an image of C 2, this one has C 1: {way_out}"):
        predict_to_disk(fewer, model, path, resume=True)
    plan = plan_prediction(fewer, model, patch_size=48)
    with pytest.raises(ValueError, match="for an image of C 1, this one has C 2: choose channels"):
        predict_to_disk(stack, model, tmp_path / "b.zarr", plan=plan)
    plan = plan_prediction(stack, model, patch_size=48)
    with pytest.raises(ValueError, match=r"patch size \(64,64 there, 48,48 now\)"):
        predict_to_disk(stack, model, path, plan=plan, resume=True)
    # a plan for another image, that has nothing to do with the store
    with pytest.raises(ValueError, match="the plan is for an image with other pixels: make a plan"):
        predict_to_disk(changed, model, path, plan=plan, resume=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "a.tif", "ome_version": "0.4"}, "ome_version 0.4 is for OME-Zarr"),
        ({"path": "a.npy", "chunks": (8, 8)}, r"chunks \(8, 8\) is for OME-Zarr"),
        (
            {"path": "a.zarr", "ome_version": "0.6"},
            r"OME-Zarr '0\.6' is not written: use 0\.5 or 0\.4",
        ),
        ({"path": "a.zarr", "compression": "jpeg"}, "OME-Zarr has no compression 'jpeg'"),
        ({"path": "a.tif", "compression": "zlib"}, "TIFF has no compression 'zlib': use none"),
        ({"path": "a.zarr", "format": "png"}, "no format 'png'"),
        ({"path": "a.zarr", "format": "npy"}, "this is no ending of npy"),
    ],
)
def test_forms_that_there_are_not(
    stack: Any, model: Any, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    path = tmp_path / options.pop("path")
    with pytest.raises(ValueError, match=message):
        predict_to_disk(stack, model, path, **options, **SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_store_takes_zarr_alone(stack: Any, model: Any) -> None:
    with pytest.raises(ValueError, match="a store of zarr holds OME-Zarr, not npy: give a path"):
        predict_to_disk(stack, model, MemoryStore(), format="npy", **SETTINGS)
    with pytest.raises(ValueError, match=r"read-only: open it for writing"):
        predict_to_disk(stack, model, MemoryStore(read_only=True), **SETTINGS)
    with pytest.raises(TypeError, match="a path, a URL or a store of zarr"):
        predict_to_disk(stack, model, 5, **SETTINGS)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.npy", "a.ome.zarr.zip"])
def test_a_relative_path_is_that_of_the_beginning(
    stack: Any, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def go_away(_: Progress) -> None:
        monkeypatch.chdir(tmp_path / "elsewhere")

    predict_to_disk(stack, model, name, progress=go_away, **SETTINGS)
    assert (tmp_path / name).exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_place_in_a_store_is_written(stack: Any, model: Any, tmp_path: Path) -> None:
    place = StorePath(LocalStore(tmp_path), "a.zarr")
    assert predict_to_disk(stack, model, place, **SETTINGS) == tmp_path / "a.zarr"
    assert "0" in zarr.open_group(tmp_path / "a.zarr", mode="r")
