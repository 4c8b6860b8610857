"""Bars on the terminal: of one image, and of several."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from rich.console import Console
from rich.progress import Progress as Bars

from napari_tessera.cli.bars import BarReporter, short_name
from napari_tessera.prediction import Progress
from napari_tessera.prediction.several import FileEntry, FilesProgress, Found, Report


@pytest.fixture
def reporter() -> BarReporter:
    """One that draws though no terminal is there, to be read as text."""
    reporter = BarReporter()
    console = Console(record=True, force_terminal=True, width=100)
    reporter._bar = Bars(console=console, auto_refresh=False)
    return reporter


def drawn(reporter: BarReporter) -> str:
    console = reporter._bar.console
    console.print(reporter._bar)
    return console.export_text()


def state(number: int, tiles: Progress | None, left: float | None = None) -> FilesProgress:
    report = Report((FileEntry("a.tif"), FileEntry("b.tif")))
    return FilesProgress(number, 2, f"/data/image{number}.tif", report, tiles, left)


def tiles(done: int) -> Progress:
    return Progress(done, 4, (), (done,), 2.0, 4_000_000, {"read": 0.1})


def test_one_display_for_all_images_and_the_one_at_work(reporter: BarReporter) -> None:
    found = [Found(name, PurePosixPath(name)) for name in ("a.tif", "b.tif")]
    left_out = Found("notes.txt", PurePosixPath("notes.txt"), problem="no image")
    reporter.images([*found, left_out], "/out")
    assert "0/2 images" in drawn(reporter)
    reporter.of_images(state(1, None))
    assert "image1.tif" in drawn(reporter)
    reporter.of_images(state(1, tiles(1), 75.0))
    text = drawn(reporter)
    assert "0/2 images" in text
    assert "1/4 tiles" in text
    assert "0:01:15 left" in text
    reporter.of_images(state(2, tiles(4), 0.0))
    text = drawn(reporter)
    assert "2/2 images" in text
    assert "image2.tif" in text
    assert "4/4 tiles" in text


def test_a_failed_image_is_told_while_the_others_run(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = BarReporter()
    failed = FileEntry("/data/a.tif", state="failed", message="exists: resume it, or overwrite it")
    reporter.image(1, 2, FileEntry("/data/a.tif", state="running"))
    reporter.image(1, 2, failed)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "napari-tessera: error: /data/a.tif: exists: resume it (--resume), or overwrite it "
        "(--overwrite)"
    )


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/a.tif", "a.tif"),
        ("s3://bucket/plate.ome.zarr/", "plate.ome.zarr"),
        (r"C:\data\a.tif", "a.tif"),
        ("x" * 40 + ".tif", "…" + "x" * 25 + ".tif"),
    ],
)
def test_names_are_short(source: str, name: str) -> None:
    assert short_name(source) == name
