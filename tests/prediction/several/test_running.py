"""Folders of real files denoised one after another: what fails, stops, is killed and goes on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from tests.prediction.several.folders import SETTINGS, blur, noise, pixels_of, tiff_folder

from napari_tessera import open_stack, predict
from napari_tessera.prediction.several import (
    REPORT_NAME,
    FileEntry,
    FilesProgress,
    Report,
    find_images,
    predict_files,
    read_report,
)
from napari_tessera.writing import read_unfinished

FORMATS = ["ome-zarr", "ome-tiff", "tiff", "npy"]


@pytest.fixture(scope="module")
def model() -> Any:
    return blur()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiff_folder(tmp_path_factory.mktemp("several"))


def by_name(report: Report) -> dict[str, FileEntry]:
    return {Path(e.source).name: e for e in report.entries if "day2" not in e.source}


def contents(folder: Path) -> dict[str, str]:
    """What is in a folder and all folders in it, but for the report."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != REPORT_NAME
    }


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_with_what_fails_and_what_is_no_image(
    folder: Path, tmp_path: Path, model: Any, form: str
) -> None:
    before = contents(folder)
    out = tmp_path / "made" / "out"
    seen: list[FilesProgress] = []
    report = predict_files(folder, out, model, format=form, progress=seen.append, **SETTINGS)
    states = {name: entry.state for name, entry in by_name(report).items()}
    assert states == {
        "a1.tif": "done",
        "a2.tif": "done",
        "a10.ome.tif": "done",
        "broken.tif": "failed",
        "cut.tif": "failed",
        "notes.txt": "skipped",
    }
    assert report.count("done") == 5
    assert report.completed
    assert report.summary == "5 of 8 images done, 1 skipped, 2 failed"
    for entry in report.entries:
        if entry.state == "done":
            expected = predict(entry.source, model, **SETTINGS)
            assert np.array_equal(np.squeeze(pixels_of(entry.output)), np.squeeze(expected))
            assert entry.tiles == entry.tiles_done > 0
            assert entry.seconds > 0
        elif entry.state == "failed":
            assert entry.message
            assert "\n" not in entry.message
            assert not Path(entry.output).exists() or not entry.output
    assert (out / "day2").is_dir()
    assert read_report(out) == report
    assert json.loads((out / REPORT_NAME).read_text())["summary"] == report.summary
    assert contents(folder) == before, "no input was changed"
    # images that are left out from the start are not counted
    assert {p.total for p in seen} == {6}
    assert [p.number for p in seen] == sorted(p.number for p in seen)
    assert seen[0].seconds_left is None
    assert seen[-1].seconds_left is not None
    assert seen[0].report.entries[0].state == "running"


def test_finished_results_are_left_and_others_made(
    folder: Path, tmp_path: Path, model: Any
) -> None:
    first = predict_files(folder, tmp_path, model, **SETTINGS)
    made = contents(tmp_path)
    zarr_out = Path(by_name(first)["a1.tif"].output)
    again = predict_files(folder, tmp_path, model, **SETTINGS)
    assert by_name(again)["a1.tif"].message == "done before"
    assert by_name(again)["a1.tif"].tiles_done == by_name(first)["a1.tif"].tiles
    assert contents(tmp_path) == made
    # what is there of other settings is neither replaced nor taken for done
    other = predict_files(folder, tmp_path, model, output_dtype="uint16", **SETTINGS)
    failed = by_name(other)["a1.tif"]
    assert failed.state == "failed"
    assert "uint16" in failed.message or "dtype" in failed.message
    assert contents(tmp_path) == made
    skipped = predict_files(folder, tmp_path, model, if_exists="skip", **SETTINGS)
    assert (by_name(skipped)["a1.tif"].state, by_name(skipped)["a1.tif"].message) == (
        "skipped",
        "its result exists",
    )
    renamed = predict_files(folder, tmp_path, model, if_exists="rename", **SETTINGS)
    assert by_name(renamed)["a1.tif"].output == str(tmp_path / "a1_denoised_1.ome.zarr")
    assert by_name(renamed)["a1.tif"].state == "done"
    replaced = predict_files(
        folder, tmp_path, model, if_exists="overwrite", output_dtype="uint16", **SETTINGS
    )
    assert by_name(replaced)["a1.tif"].state == "done"
    assert zarr.open_group(zarr_out, mode="r")["0"].dtype == np.uint16


@pytest.mark.parametrize("form", ["tiff", "npy"])
def test_files_are_known_again_by_the_report(
    folder: Path, tmp_path: Path, model: Any, form: str
) -> None:
    sources = [folder / "a1.tif", folder / "a2.tif"]
    out = tmp_path / "out"
    predict_files(sources, out, model, format=form, **SETTINGS)
    made = contents(out)
    again = predict_files(sources, out, model, format=form, **SETTINGS)
    assert [e.message for e in again.entries] == ["done before"] * 2
    other = predict_files(sources, out, model, format=form, tta="mean", **SETTINGS)
    assert [e.state for e in other.entries] == ["failed"] * 2
    assert "not known to be of this image, model and these settings" in other.entries[0].message
    assert contents(out) == made
    (out / REPORT_NAME).unlink()
    lost = predict_files(sources, out, model, format=form, **SETTINGS)
    assert [e.state for e in lost.entries] == ["failed"] * 2
    over = predict_files(sources, out, model, format=form, if_exists="overwrite", **SETTINGS)
    assert [e.state for e in over.entries] == ["done"] * 2
    assert contents(out) == made


def test_an_input_that_changed_is_not_taken_for_done(tmp_path: Path, model: Any) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((40, 50), 1))
    out = tmp_path / "out"
    predict_files(tmp_path / "a.tif", out, model, format="tiff", **SETTINGS)
    tifffile.imwrite(tmp_path / "a.tif", noise((40, 50), 2))
    os.utime(tmp_path / "a.tif", ns=(1, 1))
    (entry,) = predict_files(tmp_path / "a.tif", out, model, format="tiff", **SETTINGS).entries
    assert entry.state == "failed"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("if_exists", ["resume", "overwrite", "skip", "rename"])
def test_a_stopped_run_goes_on_within_an_image(
    folder: Path, tmp_path: Path, model: Any, form: str, if_exists: str
) -> None:
    sources = [folder / "a1.tif", folder / "a2.tif", folder / "a10.ome.tif"]
    settings = {**SETTINGS, "patch_size": 32, "format": form, "if_exists": if_exists}
    whole = predict_files(sources, tmp_path / "whole", model, **settings)
    cancel = Event()

    def stop(progress: FilesProgress) -> None:
        if progress.number == 2 and progress.tiles is not None and progress.tiles.done >= 2:
            cancel.set()

    images = find_images(sources)
    out = tmp_path / "out"
    stopped = predict_files(images, out, model, cancel=cancel, progress=stop, **settings)
    assert [e.state for e in stopped.entries] == ["done", "stopped", "waiting"]
    assert not stopped.completed
    assert stopped.summary == "1 of 3 images done, 2 left"
    kept = stopped.entries[1].tiles_done
    assert (kept > 0) == (form == "ome-zarr")
    first = contents(out)
    tiles: list[int] = []

    def watch(progress: FilesProgress) -> None:
        if progress.number == 1 and progress.tiles is not None:
            tiles.append(progress.tiles.done)

    report = predict_files(images, out, model, report=stopped, progress=watch, **settings)
    assert [e.state for e in report.entries] == ["done"] * 3
    assert min(tiles) >= kept
    assert report.entries[0] == stopped.entries[0]
    for one, other in zip(report.entries, whole.entries, strict=True):
        assert np.array_equal(pixels_of(one.output), pixels_of(other.output))
    assert (
        first.items()
        <= {
            **contents(out),
            **{k: v for k, v in first.items() if "a2" in k},
        }.items()
    ), "what was done is left as it was"


def test_a_run_goes_on_only_with_images_that_it_knows(folder: Path, tmp_path: Path) -> None:
    model = blur()
    report = predict_files(folder / "a1.tif", tmp_path, model, **SETTINGS)
    with pytest.raises(ValueError, match=r"a2\.tif is not in the report: begin a new run"):
        predict_files(folder / "a2.tif", tmp_path, model, report=report, **SETTINGS)
    with pytest.raises(ValueError, match="give only one kind"):
        predict_files([*find_images(folder / "a1.tif"), "a2.tif"], tmp_path, model)  # type: ignore[list-item]


def test_a_cancel_before_the_first_image_does_nothing(folder: Path, tmp_path: Path) -> None:
    cancel = Event()
    cancel.set()
    report = predict_files(find_images(folder), tmp_path, blur(), cancel=cancel, **SETTINGS)
    assert report.count("waiting") == 6
    assert os.listdir(tmp_path) == [REPORT_NAME]


def test_results_may_lie_beside_their_images(tmp_path: Path, model: Any) -> None:
    folder = tiff_folder(tmp_path)
    before = contents(folder)
    report = predict_files(folder, folder, model, format="tiff", **SETTINGS)
    assert report.count("done") == 5
    assert before.items() <= contents(folder).items()
    again = predict_files(folder, folder, model, format="tiff", if_exists="overwrite", **SETTINGS)
    assert again.count("done") == 5, "results are no images"
    assert before.items() <= contents(folder).items()


def test_settings_that_are_wrong_for_all_end_it_at_once(folder: Path, tmp_path: Path) -> None:
    model = blur()
    with pytest.raises(ValueError, match="if_exists 'ask' is none of"):
        predict_files(folder, tmp_path, model, if_exists="ask")
    with pytest.raises(ValueError, match="'png'"):
        predict_files(folder, tmp_path, model, format="png")
    with pytest.raises(ValueError, match="no compression 'zip'"):
        predict_files(folder, tmp_path, model, compression="zip")
    zarr.open_group(tmp_path / "a.zarr", mode="w")
    with pytest.raises(ValueError, match="lies in the store"):
        predict_files(folder, tmp_path / "a.zarr" / "out", model)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        predict_files(folder, tmp_path / "file", model)
    assert sorted(os.listdir(tmp_path)) == ["a.zarr", "file"]


def test_a_setting_that_is_wrong_for_some_fails_these(folder: Path, tmp_path: Path) -> None:
    report = predict_files(
        [folder / "a1.tif", folder / "a2.tif"], tmp_path, blur(), region={"T": 0}, **SETTINGS
    )
    assert [e.state for e in report.entries] == ["failed", "done"]
    assert report.entries[0].message == "region names axis 'T', the image has YX"


def test_what_an_image_lacks_stands_in_the_report(tmp_path: Path, model: Any) -> None:
    holes = np.random.default_rng(0).normal(100, 10, (40, 50)).astype(np.float32)
    holes[:2, :3] = np.nan
    np.save(tmp_path / "holes.npy", holes)
    (entry,) = predict_files(tmp_path / "holes.npy", tmp_path / "out", model, **SETTINGS).entries
    assert entry.state == "done"
    assert entry.message == "6 pixels are NaN, infinite or beyond float32: they are not predicted"


def test_a_report_that_is_damaged_or_of_something_else_is_none(tmp_path: Path) -> None:
    assert read_report(tmp_path) is None
    of_others = '{"files": [{"state": "done"}], "run": {}, "seconds": 0}'
    for text in ("{", "[]", "[" * 100_000, of_others):
        (tmp_path / REPORT_NAME).write_text(text)
        assert read_report(tmp_path) is None
    Report((FileEntry("ä.tif", warnings=("x",), input_stat=(1, 2)),), {"a": 1}).write(tmp_path)
    found = read_report(tmp_path)
    assert found is not None
    assert found.entries == (FileEntry("ä.tif", warnings=("x",), input_stat=(1, 2)),)
    assert os.listdir(tmp_path) == [REPORT_NAME]


def test_what_was_made_before_a_run_that_was_killed_early_is_known(
    folder: Path, tmp_path: Path, model: Any
) -> None:
    out, early = tmp_path / "out", []

    def keep(progress: FilesProgress) -> None:
        early.append((out / REPORT_NAME).read_bytes())

    image = folder / "a1.tif"
    assert predict_files(image, out, model, format="tiff", **SETTINGS).count("done") == 1
    again = {"format": "tiff", "progress": keep, **SETTINGS}
    assert predict_files(image, out, model, **again).entries[0].message == "done before"
    # killed before it wrote more than what it began with
    (out / REPORT_NAME).write_bytes(early[0])
    assert predict_files(image, out, model, **again).entries[0].message == "done before"
    tifffile.imwrite(image, noise((70, 90), 9))
    (out / REPORT_NAME).write_bytes(early[0])
    for _ in range(2):
        begun = len(early)
        (entry,) = predict_files(image, out, model, **again).entries
        assert entry.state == "failed", "it is of an image that is another by now"
        (out / REPORT_NAME).write_bytes(early[begun])


def test_what_exists_can_be_refused(folder: Path, tmp_path: Path, model: Any) -> None:
    images = [folder / "a1.tif", folder / "a2.tif"]
    predict_files(images[0], tmp_path, model, **SETTINGS)
    made = contents(tmp_path)
    report = predict_files(images, tmp_path, model, if_exists="refuse", **SETTINGS)
    assert [entry.state for entry in report.entries] == ["failed", "done"]
    assert report.entries[0].message.endswith("exists: resume it, or overwrite it")
    assert made.items() <= contents(tmp_path).items()


def test_channels_chunks_and_copies_are_those_of_a_single_image(tmp_path: Path, model: Any) -> None:
    pixels = np.stack([noise((70, 90), seed) for seed in range(3)])
    tifffile.imwrite(tmp_path / "c.tif", pixels, imagej=True, metadata={"axes": "CYX"})
    image, chosen = tmp_path / "c.tif", {"channels": [2, 0], **SETTINGS}
    (entry,) = predict_files(image, tmp_path / "out", model, chunks=48, **chosen).entries
    array = zarr.open_group(entry.output, mode="r")["0"]
    assert isinstance(array, zarr.Array)
    assert (array.shape, array.chunks) == ((2, 70, 90), (1, 48, 48))
    expected = predict(open_stack(image, channels=[2, 0]), model, **SETTINGS)
    assert np.array_equal(array[...], expected)
    (other,) = predict_files(image, tmp_path / "out", model, **SETTINGS).entries
    assert other.state == "failed", "it is of other channels"
    copied = predict_files(
        image, tmp_path / "copied", model, copy_channels=True, region={"C": [1]}, **SETTINGS
    )
    array = zarr.open_group(copied.entries[0].output, mode="r")["0"]
    assert isinstance(array, zarr.Array)
    assert np.array_equal(array[0], pixels[0])
    with pytest.raises(ValueError, match="chunks 48 is for OME-Zarr"):
        predict_files(image, tmp_path / "tiff", model, format="tiff", chunks=48, **SETTINGS)


def test_a_report_replaces_no_file_of_somebody_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"of": "somebody"}')
    with pytest.raises(FileExistsError, match=r"report\.json is no report of napari-tessera"):
        predict_files(folder / "a1.tif", tmp_path, blur(), **SETTINGS)
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_report_of_the_name_it_had_before_is_known(folder: Path, tmp_path: Path) -> None:
    predict_files(folder / "a1.tif", tmp_path, blur(), format="tiff", **SETTINGS)
    (tmp_path / REPORT_NAME).rename(tmp_path / "napari-tessera-report.json")
    again = predict_files(folder / "a1.tif", tmp_path, blur(), format="tiff", **SETTINGS)
    assert again.entries[0].message == "done before"


KILLED = """
import os, signal, sys
from napari_tessera.prediction.several import predict_files
from tests.prediction.several.folders import SETTINGS, blur
source, out, form, file, tile = sys.argv[1:]
def die(p):
    if p.number == int(file) and p.tiles is not None and p.tiles.done == int(tile):
        os.kill(os.getpid(), signal.SIGKILL)
predict_files(source, out, blur(), format=form, progress=die, **{**SETTINGS, "patch_size": 32})
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("form", ["ome-zarr", "tiff"])
def test_after_a_kill_the_rest_is_done_and_all_is_as_without_it(
    folder: Path, tmp_path: Path, pytestconfig: pytest.Config, form: str
) -> None:
    def killed(out: Path, file: int, tile: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(folder), str(out), form, str(file), str(tile)]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=pytestconfig.rootpath, timeout=120
        )

    whole, out = tmp_path / "whole", tmp_path / "out"
    settings: dict[str, Any] = {**SETTINGS, "patch_size": 32, "format": form}
    summary = "5 of 8 images done, 1 skipped, 2 failed"
    assert predict_files(folder, whole, blur(), **settings).summary == summary
    for file, tile in ((2, 3), (5, 4)):
        assert killed(out, file, tile).returncode == -signal.SIGKILL
    report = read_report(out)
    assert report is not None
    assert not report.completed
    if form == "ome-zarr":
        begun = read_unfinished(out / "day2" / "a1_denoised.ome.zarr")
        assert begun is not None
        assert not begun.completed
    assert predict_files(folder, out, blur(), **settings).summary == summary
    ends = read_report(whole)
    assert ends is not None
    for entry in ends.entries:
        if entry.state == "done":
            place = Path(entry.output).relative_to(whole)
            assert np.array_equal(pixels_of(out / place), pixels_of(whole / place))
    left = [p for p in out.rglob("*") if "partial" in p.name or "unpacked" in p.name]
    assert not left
