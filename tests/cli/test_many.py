"""``napari-tessera predict`` over several images: one run, one report, each failure told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from tests.prediction.several.folders import plate

Command = Callable[..., Any]
WORDS = ["--patch-size", "64", "--overlaps", "2"]


@pytest.fixture
def days(tmp_path: Path, picture: Callable[..., Any]) -> Path:
    """Images of the same names in two folders."""
    folder = tmp_path / "days"
    for number, name in enumerate(("day2/a.tif", "day2/b.tif", "day10/a.tif")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, picture((70, 90), seed=number))
    return folder


def pixels_of(store: Path) -> Any:
    return zarr.open_group(store, mode="r")["0"][...]


def contents(folder: Path) -> dict[str, str]:
    """What is in a folder, but for what tells the time."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("zarr.json", "report.json")
    }


def events(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines()]


def test_a_pattern_gives_what_each_image_alone_gives(
    command: Command, days: Path, blur_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    outcome = command("predict", days / "day*" / "*.tif", f"{out}/", "-m", blur_model, *WORDS)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{out}: 3 of 3 images done in ")
    assert outcome.out.rstrip().endswith(f"see {out / 'report.json'}")
    for name in ("day2/a", "day2/b", "day10/a"):
        alone = tmp_path / f"{name.replace('/', '_')}.ome.zarr"
        assert command("predict", days / f"{name}.tif", alone, "-m", blur_model, *WORDS).status == 0
        together = out / f"{name}_denoised.ome.zarr"
        assert contents(together) == contents(alone)
    report = json.loads((out / "report.json").read_text())
    # natural order: 2 before 10
    assert [entry["source"] for entry in report["files"]] == [
        str(days / name) for name in ("day2/a.tif", "day2/b.tif", "day10/a.tif")
    ]


def test_what_a_shell_makes_of_a_pattern_goes_to_the_same_places(
    command: Command, days: Path, blur_model: Path, tmp_path: Path
) -> None:
    quoted, expanded = tmp_path / "quoted", tmp_path / "expanded"
    words = ["-m", blur_model, *WORDS]
    assert command("predict", days / "**" / "*.tif", f"{quoted}/", *words).status == 0
    files = sorted(days.rglob("*.tif"))
    assert command("predict", *files, expanded, *words).status == 0
    assert contents(quoted) == contents(expanded)


def test_folders_plates_and_stores_of_ome_zarr(
    command: Command, days: Path, blur_model: Path, tmp_path: Path
) -> None:
    screen = plate(tmp_path / "screen.ome.zarr")
    stores = tmp_path / "stores"
    stores.mkdir()
    for n in (2, 10):
        result = stores / f"s{n}.ome.zarr"
        assert command("predict", days / "day2" / "a.tif", result, "-m", blur_model).status == 0
    out = tmp_path / "out"
    outcome = command("predict", days, screen, f"{out}/", "-m", blur_model, *WORDS)
    assert outcome.status == 0, outcome.err
    fields = zarr.open_group(screen, mode="r")
    made = zarr.open_group(out / "screen_denoised.ome.zarr", mode="r")
    assert "plate" in made.attrs["ome"]  # type: ignore[operator]
    assert sorted(dict(made.groups())) == sorted(dict(fields.groups()))
    assert (out / "day10" / "a_denoised.ome.zarr").is_dir()
    # stores that hold results of ours are no images
    outcome = command("predict", stores / "*.ome.zarr", f"{out}/", "-m", blur_model, *WORDS)
    assert outcome.status == 1
    assert "a result of napari-tessera" in outcome.line


def test_failures_are_listed_and_the_others_are_done(
    command: Command, days: Path, blur_model: Path, tmp_path: Path
) -> None:
    whole = (days / "day2" / "a.tif").read_bytes()
    (days / "day2" / "cut.tif").write_bytes(whole[:60])
    (days / "day2" / "notes.txt").write_text("no image")
    out = tmp_path / "out"
    words = ["predict", days, f"{out}/", "-m", blur_model, *WORDS]
    outcome = command(*words)
    assert outcome.status == 1
    assert outcome.line.startswith(f"napari-tessera: error: {days / 'day2' / 'cut.tif'}")
    assert "3 of 5 images done, 1 skipped, 1 failed" in outcome.out
    told = events(command(*words, "--overwrite", "--progress", "json").err)
    kinds = [event["event"] for event in told]
    assert kinds[0] == "images"
    assert told[0] == {"event": "images", "output": str(out), "found": 5, "images": 3}
    assert kinds[-1] == "finished"
    assert {event["number"] for event in told if event["event"] == "image"} == {1, 2, 3, 4, 5}
    ended = {
        Path(event["source"]).relative_to(days).as_posix(): event["state"]
        for event in told
        if event["event"] == "image"
    }
    assert ended == {
        "day2/a.tif": "done",
        "day2/b.tif": "done",
        "day2/cut.tif": "failed",
        "day2/notes.txt": "skipped",
        "day10/a.tif": "done",
    }
    progress = [event for event in told if event["event"] == "progress"]
    assert {event["number"] for event in progress} == {1, 2, 3}
    assert all(event["images"] == 3 and event["total"] == 4 for event in progress)
    last = told[-1]
    assert (last["done"], last["skipped"], last["failed"], last["left"]) == (3, 1, 1, 0)
    assert [Path(each["source"]).name for each in last["failures"]] == ["cut.tif"]
    assert json.loads((out / "report.json").read_text())["summary"] == last["summary"]


def test_results_that_exist_are_resumed_replaced_or_refused(
    command: Command, days: Path, blur_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["predict", days / "day2" / "*.tif", f"{out}/", "-m", blur_model, *WORDS]
    assert command(*words).status == 0
    made = contents(out)
    again = command(*words)
    assert again.status == 1
    assert "0 of 2 images done, 2 failed" in again.out
    assert all(
        "resume it (--resume), or overwrite it (--overwrite)" in line
        for line in again.err.splitlines()
    )
    resumed = command(*words, "--resume")
    assert (resumed.status, resumed.err) == (0, "")
    assert contents(out) == made
    anew = command(*[word if word != f"{out}/" else f"{out}2/" for word in words], "--resume")
    assert anew.status == 0
    assert anew.line.endswith(f"there is nothing in {out}2 to go on with: all images begin anew")
    replaced = command(*words, "--overwrite", "--output-dtype", "input")
    assert replaced.status == 0
    assert pixels_of(out / "a_denoised.ome.zarr").dtype == np.uint16


def test_options_of_a_single_image_hold_for_each(
    command: Command, blur_model: Path, tmp_path: Path, picture: Callable[..., Any]
) -> None:
    pixels = picture((3, 70, 90))
    tifffile.imwrite(tmp_path / "c.tif", pixels, imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "d.tif", pixels[:, :50], imagej=True, metadata={"axes": "CYX"})
    options = [
        "-m", blur_model, *WORDS, "--channels", "1", "--copy-channels", "--chunks", "32",
        "--compression", "gzip", "--ome-version", "0.4", "--threads", "1", "--batch-size", "2",
    ]  # fmt: skip
    out = tmp_path / "out"
    outcome = command("predict", tmp_path / "c.tif", tmp_path / "d.tif", out, *options)
    assert outcome.status == 0, outcome.err
    alone = tmp_path / "alone.ome.zarr"
    assert command("predict", tmp_path / "c.tif", alone, *options).status == 0
    one, other = (zarr.open_group(p, mode="r") for p in (out / "c_denoised.ome.zarr", alone))
    assert one["0"].chunks == other["0"].chunks == (1, 32, 32)  # type: ignore[union-attr]
    np.testing.assert_array_equal(one["0"][...], other["0"][...])  # type: ignore[index]
    np.testing.assert_array_equal(one["0"][0], pixels[0])  # type: ignore[index]
    # what a range does not fit into fails, the others are done
    outcome = command(
        "predict", tmp_path / "c.tif", tmp_path / "d.tif", tmp_path / "part",
        "-m", blur_model, *WORDS, "--region", "Y=0:60", "--format", "tiff",
    )  # fmt: skip
    assert outcome.status == 1
    assert "region Y: 60 is outside the image, Y has 50" in outcome.line
    assert tifffile.imread(tmp_path / "part" / "c_denoised.tif").shape == (3, 60, 90)


@pytest.mark.parametrize(
    ("words", "says", "status"),
    [
        (["a.tif", "b.tif", "o.ome.zarr"], "2 INPUTs and one image o.ome.zarr: give a folder", 2),
        (["a.tif", "b.tif", "s3://bucket/o"], "is a URL", 2),
        (["a.tif", "s3://bucket/out/"], "is a URL", 2),
        (["a.tif", "out/", "--plan", "p.json"], "--plan is of one image", 2),
        (["a.tif", "out/", "--workers", "2"], "--workers is for --cluster local", 2),
        (["a.tif", "o.zarr", "--threads-per-worker", "2"], "--threads-per-worker is for", 2),
        (["a.tif", "out/", "--resume", "--overwrite"], "--resume keeps", 2),
        (["nothing*.tif", "out/"], "nothing*.tif stands for no file or folder", 1),
        (["nothing.tif", "out/"], "nothing.tif does not exist", 1),
        (["nothing.tif", "out"], "unknown ending ''", 1),
        (["nothing.tif", "out"], "or a folder for results, out/", 1),
        (["s3q://bucket/*.zarr", "out/"], "name the images one by one", 1),
        (["memory://nothing/*.zarr", "out/"], "memory://nothing/*.zarr stands for nothing", 1),
        (["notes.txt", "out/"], "no image in notes.txt", 1),
        (["a.tif", "out/", "--format", "tiff", "--chunks", "64"], "chunks 64 is for OME-Zarr", 1),
    ],
)  # fmt: skip
def test_what_is_meant_wrongly_is_one_line(
    command: Command,
    volume: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    blur_model: Path,
    words: list[str],
    says: str,
    status: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    volume.rename(tmp_path / "a.tif")
    (tmp_path / "notes.txt").write_text("no image")
    outcome = command("predict", *words, "-m", blur_model)
    assert (outcome.status, outcome.out) == (status, "")
    assert says in outcome.line
    assert not (tmp_path / "out").exists()


def test_a_pattern_of_stores_is_no_single_image(
    command: Command, blur_model: Path, tmp_path: Path
) -> None:
    for name in ("a.zarr", "b.zarr"):
        zarr.create_array(tmp_path / name, shape=(70, 90), chunks=(70, 90), dtype="u2")[...] = 7
    outcome = command("predict", tmp_path / "*.zarr", tmp_path / "o.ome.zarr", "-m", blur_model)
    assert outcome.status == 1
    assert "stands for 2 images: give a folder for the results as OUTPUT" in outcome.line


def test_a_folder_that_exists_takes_one_image_too(
    command: Command, volume: Path, blur_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "there"
    out.mkdir()
    assert command("predict", volume, out, "-m", blur_model, *WORDS).status == 0
    assert pixels_of(out / "volume_denoised.ome.zarr").shape == (3, 70, 90)
    # a folder that is named as an image is one, as ever
    named = tmp_path / "named.ome.zarr"
    assert command("predict", volume, f"{named}/", "-m", blur_model, *WORDS).status == 0
    np.testing.assert_array_equal(pixels_of(named), pixels_of(out / "volume_denoised.ome.zarr"))


def test_a_pattern_of_urls(
    command: Command, blur_model: Path, tmp_path: Path, picture: Callable[..., Any]
) -> None:
    for number in (1, 2, 10):
        zarr.create_array(f"memory://bucket/n{number}.zarr", data=picture((70, 90), seed=number))
    out = tmp_path / "out"
    told = command(
        "predict", "memory://bucket/n*.zarr", "memory://bucket/gone.zarr", f"{out}/",
        "-m", blur_model, *WORDS, "--axes", "YX", "--progress", "json",
    )  # fmt: skip
    assert told.status == 1
    last = events(told.err)[-1]
    assert (last["done"], last["failed"]) == (3, 1)
    assert "gone.zarr" in last["failures"][0]["source"]
    assert sorted(path.name for path in out.iterdir()) == [
        "n10_denoised.ome.zarr", "n1_denoised.ome.zarr", "n2_denoised.ome.zarr", "report.json",
    ]  # fmt: skip
