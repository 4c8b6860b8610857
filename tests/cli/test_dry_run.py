"""``napari-tessera predict --dry-run``: what a run takes, told before, and nothing written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera.cli.dry_run_text import duration_text

Command = Callable[..., Any]
WORDS = ["--patch-size", "64", "--overlaps", "2", "--device", "cpu"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A smooth image with noise, which packs to some part of its size; 3×300×400 uint16."""
    rng = np.random.default_rng(0)
    smooth = 400 + 300 * np.sin(np.arange(400) / 30) * np.cos(np.arange(300) / 40)[:, None]
    path = tmp_path / "image.tif"
    pixels = rng.poisson(np.stack([smooth] * 3)).astype(np.uint16)
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZYX"})
    return path


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """All files and folders, with size and time of change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def estimate(command: Command, *words: str | Path) -> dict[str, Any]:
    """The event ``estimate`` of a dry run that went well."""
    outcome = command("predict", *words, "--dry-run", "--progress", "json")
    assert outcome.status == 0, outcome.err
    told = [json.loads(line) for line in outcome.err.splitlines()]
    (found,) = [event for event in told if event["event"] == "estimate"]
    assert outcome.out.rstrip().endswith("dry run: nothing was written")
    return found


def size_of(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.ome.zarr", []),
        ("a.ome.zarr", ["--compression", "gzip", "--ome-version", "0.4", "--chunks", "64"]),
        ("a.ome.zarr", ["--output-dtype", "input", "--compression", "none"]),
        ("a.ome.zarr.zip", ["--compression", "lz4"]),
        ("a.ome.tif", []),
        ("a.ome.tif", ["--output-dtype", "input", "--compression", "lzw"]),
        ("a.tif", []),
        ("a.npy", ["--output-dtype", "input"]),
    ],
)
def test_disk_is_what_a_run_then_takes_and_nothing_is_written(
    command: Command,
    image: Path,
    blur_model: Path,
    tmp_path: Path,
    name: str,
    options: list[str],
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    words = [image, folder / name, "-m", blur_model, *WORDS, *options]
    before = listing(tmp_path)
    found = estimate(command, *words)
    assert listing(tmp_path) == before, "no file, no lock, no folder"
    assert command("predict", *words).status == 0
    made = size_of(folder / name)
    assert found["disk_bytes"] == pytest.approx(made, rel=0.15, abs=10_000)
    assert found["disk_peak_bytes"] == found["disk_bytes"] * (2 if name.endswith(".zip") else 1)
    assert found["tiles"] == 3 * 5 * 7
    itemsize = 2 if "input" in options else 4
    assert found["output_bytes"] == 3 * 300 * 400 * itemsize
    assert found["fits"]
    assert found["free_bytes"] > found["disk_bytes"]


def test_time_is_that_of_real_tiles_on_this_computer(
    command: Command, image: Path, blur_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.ome.zarr"
    found = estimate(command, image, out, "-m", blur_model, *WORDS, "--threads", "1")
    assert (found["measured_on"], found["measured_threads"]) == (["cpu"], 1)
    assert 1 <= found["measured_tiles"] <= found["tiles"]
    assert found["measured_seconds"] > 0
    predicted = found["tiles"] * found["measured_seconds"] / found["measured_tiles"]
    assert found["seconds"] == pytest.approx(predicted + found["planning_seconds"], abs=0.06)
    assert (found["blocks"], found["workers"]) == (None, None)
    text = command("predict", image, out, "-m", blur_model, *WORDS, "--dry-run")
    assert text.err == ""
    lines = {line[:11].strip(): line[11:] for line in text.out.splitlines()}
    assert lines["tiles"] == "105"
    about, planning, tiles = lines["time"].split(" · ")
    assert about.startswith("about ")
    assert planning.endswith("s of planning")
    assert tiles.endswith("s of tiles")
    assert lines["measured"].split(" · ")[1:] == [
        "cpu with 1 thread of this computer", "read, predicted and packed"
    ]  # fmt: skip
    assert lines["disk"].endswith(" are free there")


def test_tiles_that_are_done_or_skipped_cost_nothing(
    command: Command, image: Path, blur_model: Path, tmp_path: Path
) -> None:
    mask = np.zeros((300, 400), np.uint8)
    mask[:60, :60] = 1
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    out = tmp_path / "a.ome.zarr"
    words = [image, out, "-m", blur_model, *WORDS]
    whole = estimate(command, *words)
    part = estimate(command, *words, "--inside", tmp_path / "mask.tif")
    assert part["tiles"] == 3
    assert part["disk_bytes"] < whole["disk_bytes"] / 20
    assert command("predict", *words).status == 0
    assert estimate(command, *words, "--resume")["tiles_done"] == 105
    text = command("predict", *words, "--resume", "--dry-run").out
    assert "\ntiles      105 · 105 of them done\n" in text
    outcome = command("predict", *words, "--dry-run")
    assert outcome.status == 1
    assert "exists" in outcome.line
    assert "--overwrite" in outcome.line
    assert estimate(command, *words, "--overwrite")["tiles_done"] == 0


def test_blended_tiles_are_counted_once(
    command: Command, image: Path, blur_model: Path, tmp_path: Path
) -> None:
    words = [image, tmp_path / "a.ome.zarr", "-m", blur_model, "--patch-size", "64"]
    words += ["--overlaps", "16", "--blending", "linear", "--threads", "1"]
    found = estimate(command, *words)
    assert found["tiles"] == 3 * 6 * 8
    assert found["measured_tiles"] <= found["tiles"]


def test_workers_share_blocks(
    command: Command, image: Path, blur_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    out = tmp_path / "a.ome.zarr"
    words = [image, out, "-m", blur_model, *WORDS, "--chunks", "1,64,64"]
    alone = estimate(command, *words)
    shared = estimate(
        command, *words, "--cluster", "local", "--workers", "3", "--threads-per-worker", "1"
    )
    assert alone["blocks"] is None
    assert shared["blocks"] >= 3
    assert (shared["workers"], shared["threads_per_worker"]) == (3, 1)
    assert shared["measured_threads"] == 1
    text = command("predict", *words, "--dry-run", "--cluster", "local", "--workers", "3")
    assert f" · {shared['blocks']} blocks\n" in text.out
    assert " · 3 workers of " in text.out
    assert not out.exists()


def test_a_result_that_does_not_fit_is_warned_of(
    command: Command,
    image: Path,
    blur_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # a disk that is full cannot be had without being root
    nearly_full = os.statvfs(tmp_path)
    monkeypatch.setattr(
        "shutil.disk_usage",
        lambda path: type("Usage", (), {"total": nearly_full.f_blocks, "used": 0, "free": 1000})(),
    )
    words = ["predict", image, tmp_path / "a.ome.zarr", "-m", blur_model, *WORDS, "--dry-run"]
    outcome = command(*words)
    assert outcome.status == 0
    assert "the result does not fit" in outcome.line
    assert "1 kB are free" in outcome.line


def test_several_images_are_summed(
    command: Command, image: Path, blur_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for n in range(5):
        tifffile.imwrite(folder / f"i{n}.tif", tifffile.imread(image)[n % 3])
    (folder / "notes.txt").write_text("no image")
    out = tmp_path / "out"
    words = ["predict", folder, f"{out}/", "-m", blur_model, *WORDS, "--progress", "json"]
    before = listing(tmp_path)
    outcome = command(*words, "--dry-run")
    assert outcome.status == 0
    assert listing(tmp_path) == before
    told = [json.loads(line) for line in outcome.err.splitlines()]
    found = told[-1]
    assert found["event"] == "estimate"
    assert (found["images"], found["tiles"]) == (5, 5 * 35)
    assert command(*words).status == 0
    stores = [path for path in out.iterdir() if path.is_dir()]
    assert found["disk_bytes"] == pytest.approx(sum(map(size_of, stores)), rel=0.15, abs=50_000)
    # what the run would leave alone, or refuse
    outcome = command(*words, "--dry-run")
    assert outcome.status == 1
    states = [json.loads(line) for line in outcome.err.splitlines()]
    assert [e["state"] for e in states if e["event"] == "image"].count("failed") == 5
    done = json.loads(command(*words, "--dry-run", "--resume").err.splitlines()[-1])
    assert done["tiles_done"] == done["tiles"] == 175


def test_a_plate_and_an_image_that_cannot_be_planned_for(
    command: Command, blur_model: Path, tmp_path: Path
) -> None:
    from tests.prediction.several.folders import plate

    screen = plate(tmp_path / "screen.ome.zarr")
    zarr.create_array(tmp_path / "cube.zarr", shape=(4, 5), chunks=(4, 5), dtype="bool")
    outcome = command(
        "predict", screen, tmp_path / "cube.zarr", tmp_path / "out/", "-m", blur_model,
        "--output-dtype", "input", "--dry-run",
    )  # fmt: skip
    assert outcome.status == 1
    assert "cube.zarr: output type bool" in outcome.line
    assert " · 6 images\n" in outcome.out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.034, "0.034 s"),
        (7.66, "7.7 s"),
        (90.7, "91 s"),
        (125, "2.1 min"),
        (1900, "32 min"),
        (5400, "1.5 h"),
        (400_000, "4.6 days"),
    ],
)
def test_times_are_as_fine_as_they_are_known(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
