"""Images that are more than one file, or less than one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

Command = Callable[..., Any]


@pytest.fixture
def run1(tmp_path: Path, picture: Callable[..., Any]) -> Path:
    """A folder of twelve planes whose order by letters would be another one."""
    folder = tmp_path / "run1"
    folder.mkdir()
    for number, plane in enumerate(picture((12, 40, 48))):
        tifffile.imwrite(folder / f"img{number}.tif", plane)
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_a_folder_of_tiffs_is_one_image(
    command: Command, run1: Path, blur_model: Path, tmp_path: Path, picture: Callable[..., Any]
) -> None:
    whole, several = tmp_path / "whole.zarr", tmp_path / "several.zarr"
    tifffile.imwrite(tmp_path / "all.tif", picture((12, 40, 48)), photometric="minisblack")
    for source, output in ((tmp_path / "all.tif", whole), (run1, several)):
        outcome = command("predict", source, output, "-m", blur_model, "--axes", "TYX")
        assert outcome.status == 0, outcome.err
    written = [zarr.open_group(output, mode="r")["0"][...] for output in (whole, several)]
    np.testing.assert_array_equal(*written)


@pytest.mark.parametrize("pattern", ["*.tif", "img[0-9].tif"])
def test_a_pattern(command: Command, run1: Path, pattern: str) -> None:
    outcome = command("info", run1 / pattern, "--axes", "TYX", "--json")
    assert outcome.status == 0, outcome.err
    facts = json.loads(outcome.out)
    assert facts["source"] == str(run1 / pattern)
    assert facts["shape"] == [12 if pattern == "*.tif" else 10, 40, 48]


def test_none_of_the_files_is_written_over(command: Command, run1: Path, blur_model: Path) -> None:
    before = {file: file.read_bytes() for file in run1.iterdir()}
    outcome = command("predict", run1, run1 / "img3.tif", "-m", blur_model, "--overwrite")
    assert outcome.status == 1
    assert "img3.tif holds the input, which is never changed" in outcome.line
    assert {file: file.read_bytes() for file in run1.iterdir()} == before


def test_a_file_that_does_not_belong_is_named(
    command: Command, run1: Path, blur_model: Path, tmp_path: Path
) -> None:
    tifffile.imwrite(run1 / "img5.tif", np.zeros((41, 48), np.uint16))
    outcome = command("predict", run1, tmp_path / "out.zarr", "-m", blur_model)
    assert outcome.status == 1
    assert "img5.tif has YX 41×48 uint16, but img0.tif has YX 40×48 uint16" in outcome.line


def test_a_part_of_a_file(
    command: Command, blur_model: Path, tmp_path: Path, picture: Callable[..., Any]
) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["a/b"], file["c"] = picture((40, 48)), picture((50, 60))
    source = f"{tmp_path / 'in.h5'}#/a/b"
    outcome = command("info", source, "--json")
    assert json.loads(outcome.out)["shape"] == [40, 48]
    outcome = command("predict", source, tmp_path / "out.zarr", "-m", blur_model)
    assert outcome.status == 0, outcome.err
