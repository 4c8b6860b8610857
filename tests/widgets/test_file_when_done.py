"""Files that are written when all is done: right pixels, whole or not there at all."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import predict, run_prediction
from napari_tessera.region import Region
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.file_when_done import FileWhenDone, WritingStoppedError
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget
from napari_tessera.writing import to_dtype
from napari_tessera.writing.files.formats import NPY, OME_TIFF, TIFF

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 40, "X": 50}


def store_for(kind: str, plan: Any, axes: str, colours: Colours | None = None) -> Any:
    if kind == "disk":
        return DiskStore(plan, axes, colours)
    whole = Region.from_selection(plan.layout.output_axes, plan.layout.output_shape)
    return MemoryStore(plan, whole if kind == "whole" else plan.region, axes, colours)


def denoised(
    file: FileWhenDone, store: Any, plan: Any, image: Any, axes: str, cancel: Any = None
) -> None:
    model = load_model(Blur(), device="cpu")
    writers = [(store, "."), (file, ".")]
    run_prediction(plan, ArrayStack(image, axes), model, writers=writers)
    file.write(cancel or threading.Event())


@pytest.mark.parametrize("kind", ["whole", "area", "disk"])
@pytest.mark.parametrize("axes", ["YX", "ZYX", "XYT", "STYX", "TCZYX"])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_the_pixels_are_those_that_predict_gives(
    axes: str, kind: str, dtype: str, tmp_path: Path
) -> None:
    image = noisy(tuple(SIZES[a] for a in axes), dtype=np.uint16)
    region = {"Y": slice(5, 25)} | ({"T": [0, 2]} if "T" in axes else {})
    plan = make_plan(image, axes, patch_size=(16, 16), region=region, output_dtype=dtype)
    expected = predict(ArrayStack(image, axes), load_model(Blur(), device="cpu"), plan=plan)
    save = ResolvedTarget(tmp_path / "a.npy", NPY, "none")
    store = store_for(kind, plan, axes)
    file = FileWhenDone(plan, save, store)
    denoised(file, store, plan, image, axes)
    assert file.written
    written = np.load(save.path)
    assert written.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(written, expected)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("kind", ["whole", "disk"])
def test_channels_that_were_not_denoised_are_the_images(kind: str, tmp_path: Path) -> None:
    image = noisy((3, 4, 40, 50), dtype=np.uint16)
    region = {"C": [0, 2], "Z": slice(1, 3)}
    plan = make_plan(image, "CZYX", patch_size=(16, 16), region=region)
    save = ResolvedTarget(tmp_path / "a.ome.tif", OME_TIFF, "lzw")
    store = store_for(kind, plan, "CZYX")
    file = FileWhenDone(plan, save, store)
    denoised(file, store, plan, image, "CZYX")
    expected = predict(ArrayStack(image, "CZYX"), load_model(Blur(), device="cpu"), plan=plan)
    with tifffile.TiffFile(save.path) as tiff:
        series = tiff.series[0]
        axes, written = series.axes, series.asarray()
        assert tiff.pages[0].compression.name == "LZW"
    written = np.moveaxis(written, axes.index("C"), 0)
    np.testing.assert_array_equal(written[[0, 2]], expected)
    np.testing.assert_array_equal(written[1], image[1, 1:3].astype(np.float32))


@pytest.mark.parametrize("kind", ["whole", "disk"])
def test_colours_are_saved_as_they_were_predicted(kind: str, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    plan = make_plan(image, "YXC", patch_size=(16, 16))
    save = ResolvedTarget(tmp_path / "a.npy", NPY, "none")
    store = store_for(kind, plan, "YX", Colours("uint8", image))
    file = FileWhenDone(plan, save, store)
    denoised(file, store, plan, image, "YXC")
    expected = predict(ArrayStack(image, "YXC"), load_model(Blur(), device="cpu"), plan=plan)
    np.testing.assert_array_equal(np.load(save.path), expected)


class SetAfterSomeReads(threading.Event):
    """Set when it was asked for the second time: the file is begun by then."""

    asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > 1


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.ome.tif"])
def test_stopped_in_the_middle_nothing_is_left(name: str, tmp_path: Path) -> None:
    image = noisy((6, 40, 50))
    plan = make_plan(image, "ZYX", patch_size=(16, 16))
    known = {"a.npy": NPY, "a.tif": TIFF, "a.ome.tif": OME_TIFF}[name]
    save = ResolvedTarget(tmp_path / name, known, known.default_compression, overwrite=True)
    save.path.write_bytes(b"what was there")

    store = store_for("whole", plan, "ZYX")
    file = FileWhenDone(plan, save, store, block_bytes=8000)
    stopped = SetAfterSomeReads()
    with pytest.raises(WritingStoppedError):
        denoised(file, store, plan, image, "ZYX", stopped)
    assert not file.written
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert save.path.read_bytes() == b"what was there"
    file.write(threading.Event())
    assert file.written
    assert save.path.read_bytes() != b"what was there"


def test_what_is_clipped_is_counted(tmp_path: Path) -> None:
    image = np.full((40, 50), 3000, np.uint16)
    plan = make_plan(image, "YX", patch_size=(16, 16), output_dtype="uint8")
    save = ResolvedTarget(tmp_path / "a.tif", TIFF, "none")
    store = store_for("whole", plan, "YX")
    file = FileWhenDone(plan, save, store)
    denoised(file, store, plan, image, "YX")
    assert file.clipped_pixels == np.count_nonzero(store.array > 255.5)
    assert tifffile.imread(save.path).max() == 255


@pytest.mark.parametrize("kind", ["whole", "area", "disk"])
def test_the_file_says_that_the_run_is_finished_and_what_was_clipped(
    kind: str, tmp_path: Path
) -> None:
    image = noisy((40, 50), dtype=np.float32) * 300
    plan = make_plan(image, "YX", patch_size=(16, 16), output_dtype="uint8")
    save = ResolvedTarget(tmp_path / "a.ome.tif", OME_TIFF, "none")
    store = store_for(kind, plan, "YX")
    file = FileWhenDone(plan, save, store)
    denoised(file, store, plan, image, "YX")
    model = load_model(Blur(), device="cpu")
    _, clipped = to_dtype(
        predict(ArrayStack(image, "YX"), model, patch_size=(16, 16)), np.dtype(np.uint8)
    )
    assert file.clipped_pixels == clipped > 0
    with tifffile.TiffFile(save.path) as tiff:
        assert tiff.ome_metadata is not None
        assert f'<M K="clipped_pixels">{clipped}</M>' in tiff.ome_metadata
        assert '<M K="finished">20' in tiff.ome_metadata
        assert 'K="state"' not in tiff.ome_metadata
        assert 'K="completed"' not in tiff.ome_metadata
