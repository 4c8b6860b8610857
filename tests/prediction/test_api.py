"""From an image and a model to an array or a file, in one call."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from threading import Event
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict, predict_to_disk
from napari_tessera.prediction import PredictionPlan, Progress
from napari_tessera.stacks import TiffStack


def image(shape: tuple[int, ...] = (2, 3, 150, 170)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)


def hashes(store: Path) -> dict[str, str]:
    """SHA-256 of every chunk of the image array."""
    return {
        str(file.relative_to(store)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((store / "0").rglob("*"))
        if file.is_file()
    }


def stop_after(n: int, stop: Event):
    def progress(state: Progress) -> None:
        if state.done >= n:
            stop.set()

    return progress


def test_disk_and_memory_hold_the_same(unet_2d: nn.Module, tmp_path: Path) -> None:
    stack = open_stack(image(), "TZYX")
    expected = predict(stack, unet_2d, patch_size=96)
    path = predict_to_disk(stack, unet_2d, tmp_path / "out.ome.zarr", patch_size=96)
    assert np.array_equal(zarr.open_group(path, mode="r")["0"][:], expected)
    tif = predict_to_disk(stack, unet_2d, tmp_path / "out.ome.tif", patch_size=96)
    assert np.array_equal(tifffile.imread(tif), expected)


def test_both_at_once_cost_one_prediction(unet_2d: nn.Module, tmp_path: Path) -> None:
    from napari_tessera.writing import WriteTilesZarr

    stack = open_stack(image(), "TZYX")
    array = predict(
        stack, unet_2d, patch_size=96, writers=[(WriteTilesZarr(tmp_path / "x.zarr"), tmp_path)]
    )
    assert np.array_equal(zarr.open_group(tmp_path / "x.zarr", mode="r")["0"][:], array)


@pytest.mark.parametrize("after", [1, 7, 20])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    unet_2d: nn.Module, tmp_path: Path, after: int
) -> None:
    stack, model = open_stack(image(), "TZYX"), load_model(unet_2d)
    whole = predict_to_disk(stack, model, tmp_path / "whole.ome.zarr", patch_size=96)
    stop = Event()
    path = tmp_path / "stopped.ome.zarr"
    predict_to_disk(
        stack, model, path, patch_size=96, cancel=stop, progress=stop_after(after, stop)
    )
    stored = zarr.open_group(path, mode="r").attrs["napari_tessera"]
    assert stored["completed"] is False
    with pytest.raises(FileExistsError, match="resume it"):
        predict_to_disk(stack, model, path, patch_size=96)
    with pytest.raises(ValueError, match="patch size"):
        predict_to_disk(stack, model, path, patch_size=128, resume=True)
    seen: list[int] = []
    predict_to_disk(
        stack,
        model,
        path,
        patch_size=96,
        resume=True,
        progress=lambda state: seen.extend(state.finished),
    )
    total = plan_prediction(stack, model, patch_size=96).total_tiles
    assert len(seen) == len(set(seen)) <= total - after
    assert hashes(path) == hashes(whole)
    assert zarr.open_group(path, mode="r").attrs["napari_tessera"]["completed"] is True
    # Once finished there is nothing left to do, and nothing is harmed.
    predict_to_disk(stack, model, path, patch_size=96, resume=True)
    assert hashes(path) == hashes(whole)


def test_resume_with_nothing_there_starts(unet_2d: nn.Module, tmp_path: Path) -> None:
    stack = open_stack(image((60, 70)), "YX")
    path = predict_to_disk(stack, unet_2d, tmp_path / "new.zarr", resume=True)
    assert np.array_equal(zarr.open_group(path, mode="r")["0"][:], predict(stack, unet_2d))


@pytest.mark.parametrize("name", ["out.zarr", "out.ome.tif"])
def test_nothing_is_replaced_unasked(unet_2d: nn.Module, tmp_path: Path, name: str) -> None:
    stack = open_stack(image((60, 70)), "YX")
    path = predict_to_disk(stack, unet_2d, tmp_path / name)
    with pytest.raises(FileExistsError, match=rf"{re.escape(name)} exists"):
        predict_to_disk(stack, unet_2d, path)
    other = open_stack(image((60, 70)) + np.uint16(1), "YX")
    predict_to_disk(other, unet_2d, path, overwrite=True)
    written = tifffile.imread(path) if name.endswith("tif") else zarr.open_group(path)["0"][:]
    assert np.array_equal(written, predict(other, unet_2d))


def test_a_wrong_place_is_told_before_anything_runs(unet_2d: nn.Module, tmp_path: Path) -> None:
    stack = open_stack(image((60, 70)), "YX")
    with pytest.raises(ValueError, match=r"unknown ending '\.png'"):
        predict_to_disk(stack, unet_2d, tmp_path / "out.png")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        predict_to_disk(stack, unet_2d, tmp_path / "none" / "out.zarr")
    with pytest.raises(ValueError, match="cannot be resumed"):
        predict_to_disk(stack, unet_2d, tmp_path / "out.tif", resume=True)
    with pytest.raises(ValueError, match="3 is no multiple of the alignment 4: use 0 or 4"):
        predict_to_disk(stack, unet_2d, tmp_path / "out.zarr", overlaps=3)
    assert list(tmp_path.iterdir()) == []


def test_a_type_that_tiff_cannot_hold_is_told_before_the_run(
    unet_2d: nn.Module, tmp_path: Path
) -> None:
    stack = open_stack(image((60, 70)).astype(np.int64), "YX")
    seen: list[Progress] = []
    with pytest.raises(ValueError, match="OME-TIFF holds no int64"):
        predict_to_disk(
            stack, unet_2d, tmp_path / "out.ome.tif", output_dtype="input", progress=seen.append
        )
    assert not seen


@pytest.mark.parametrize("kind", ["path", "zarr", "dask"])
def test_the_input_is_never_replaced(
    unet_2d: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = image((60, 70))
    source = Path("run #2 a%20b") / "in.zarr"
    source.parent.mkdir()
    zarr.save(str(source), raw)
    opened = {
        "path": lambda: str(source),
        "zarr": lambda: zarr.open(str(source)),
        "dask": lambda: da.from_zarr(str(source)),
    }[kind]()
    for place in (source, source / "inside.zarr"):
        with pytest.raises(ValueError, match="input"):
            predict_to_disk(open_stack(opened, "YX"), unet_2d, place, overwrite=True)
    assert np.array_equal(zarr.open(str(source))[:], raw)


def test_resume_takes_the_plan_that_is_stored(unet_2d: nn.Module, tmp_path: Path) -> None:
    stack, model = open_stack(image(), "TZYX"), load_model(unet_2d)
    settings = {"patch_size": 128, "overlaps": 60, "region": {"T": 1}}
    whole = predict_to_disk(stack, model, tmp_path / "whole.zarr", **settings)
    stop = Event()
    path = tmp_path / "part.zarr"
    predict_to_disk(stack, model, path, cancel=stop, progress=stop_after(3, stop), **settings)
    predict_to_disk(stack, model, path, resume=True)
    assert hashes(path) == hashes(whole)


def test_a_failing_run_leaves_what_is_done(unet_2d: nn.Module, tmp_path: Path) -> None:
    stack, model = open_stack(image(), "TZYX"), load_model(unet_2d)

    def failing(state: Progress) -> None:
        if state.done >= 10:
            raise RuntimeError("the machine is on fire")

    path = tmp_path / "out.zarr"
    with pytest.raises(RuntimeError, match="on fire"):
        predict_to_disk(stack, model, path, patch_size=96, progress=failing)
    predict_to_disk(stack, model, path, patch_size=96, resume=True)
    whole = predict_to_disk(stack, model, tmp_path / "whole.zarr", patch_size=96)
    assert hashes(path) == hashes(whole)


def test_a_region_on_disk(unet_2d: nn.Module, tmp_path: Path) -> None:
    stack = open_stack(image(), "TZYX")
    region = {"T": 1, "Y": slice(20, 90)}
    path = predict_to_disk(stack, unet_2d, tmp_path / "part.zarr", patch_size=96, region=region)
    written = zarr.open_group(path, mode="r")["0"][:]
    assert np.array_equal(written, predict(stack, unet_2d, patch_size=96)[1:, :, 20:90])


def test_a_result_larger_than_memory_is_refused(unet_2d: nn.Module) -> None:
    endless = np.broadcast_to(np.uint8(1), (100_000, 400, 300_000))
    with pytest.raises(MemoryError, match=r"takes 48000\.0 GB.*predict a region, or to disk"):
        predict(open_stack(endless, "TYX"), unet_2d)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed in /proc")
def test_what_is_opened_for_a_prediction_is_closed(unet_2d: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, image((150, 170)))

    def n_open() -> int:
        links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
        return sum(os.path.lexists(link) and os.readlink(link) == str(path) for link in links)

    # nothing is left to the garbage collector, which also finds what is dropped
    kept = []
    real = TiffStack.__init__

    def keeping(self: TiffStack, *args: Any, **settings: Any) -> None:
        real(self, *args, **settings)
        kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TiffStack, "__init__", keeping)
        predict(path, unet_2d, patch_size=96)
        predict_to_disk(path, unet_2d, tmp_path / "out.ome.zarr", patch_size=96)
        plan_prediction(path, unet_2d, patch_size=96)
        for call in (predict, plan_prediction):
            with pytest.raises(ValueError, match="blending 'none' is not available"):
                call(path, unet_2d, blending="none")
        with pytest.raises(FileExistsError):
            predict_to_disk(path, unet_2d, tmp_path / "out.ome.zarr")
    assert len(kept) == 6
    assert n_open() == 0
    with open_stack(path) as stack:
        predict(stack, unet_2d, patch_size=96)
        plan_prediction(stack, unet_2d, patch_size=96)
        assert n_open() == 1
        assert stack.extract_patch(0, None, (0, 0), (4, 4)).any()


def test_statistics_stand_in_the_files_metadata(unet_2d: nn.Module, tmp_path: Path) -> None:
    stack, model = open_stack(image((2, 60, 70)), "TYX"), load_model(unet_2d)
    plan = plan_prediction(stack, model, normalization="time_point", statistics="exact")
    path = predict_to_disk(stack, model, tmp_path / "a.zarr", plan=plan)
    in_zarr = zarr.open_group(path, mode="r").attrs["napari_tessera"]["plan"]
    path = predict_to_disk(stack, model, tmp_path / "a.ome.tif", plan=plan)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.ome_metadata is not None
        annotations = tifffile.xml2dict(tiff.ome_metadata)["OME"]["StructuredAnnotations"]
    pairs = {m["K"]: m["value"] for m in annotations["MapAnnotation"]["Value"]["M"]}
    assert pairs["fingerprint"] == plan.fingerprint
    for stored in (in_zarr, json.loads(pairs["plan"])):
        assert PredictionPlan.from_json(json.dumps(stored)) == plan
        ranges = stored["fingerprint_of"]["normalization"]
        assert ranges["measured"] == "exact"
        assert [s["kind"] for s in ranges["statistics"]] == ["mean", "std"]
        expected = [[[frame.mean()], [frame.std()]] for frame in image((2, 60, 70))]
        assert np.allclose(ranges["values"], expected)
