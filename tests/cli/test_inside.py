"""``--inside``: files of masks, and polygons, through the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

WORDS = ("--patch-size", "24", "--overlaps", "4")


@pytest.fixture
def image(tmp_path: Path, picture: Callable[..., Any]) -> Path:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, picture((4, 70, 90)), imagej=True, metadata={"axes": "ZYX"})
    return path


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.zeros((4, 70, 90), np.uint16)
    labels[1, 5:9, 5:9] = 3
    labels[2, 65, 85] = 8
    return labels


def saved(folder: Path, labels: np.ndarray, ending: str) -> Path:
    path = folder / f"mask{ending}"
    if ending == ".npy":
        np.save(path, labels)
    elif ending == ".zarr":
        zarr.create_array(path, data=labels, chunks=(1, 32, 32))
    else:
        tifffile.imwrite(path, labels, photometric="minisblack")
    return path


@pytest.mark.parametrize("ending", [".tif", ".npy", ".zarr"])
def test_masks_of_every_kind_skip_the_tiles_outside(
    command: Callable[..., Any],
    blur_model: Path,
    image: Path,
    labels: np.ndarray,
    tmp_path: Path,
    ending: str,
) -> None:
    mask, output = saved(tmp_path, labels, ending), tmp_path / "out.ome.zarr"
    outcome = command(
        "predict", image, output, "-m", blur_model, *WORDS, "--inside", mask, "--progress", "json"
    )
    assert outcome.status == 0, outcome.err
    planned = json.loads(outcome.err.splitlines()[0])
    assert (planned["event"], planned["tiles"], planned["skipped"]) == ("planned", 2, 4 * 20 - 2)
    pixels = zarr.open_group(output, mode="r")["0"][...]
    assert np.isfinite(pixels[labels > 0]).all()
    assert np.isnan(pixels[0]).all()
    assert np.isnan(pixels[1, 30:]).all()


def test_polygons_of_a_plane_and_of_all(
    command: Callable[..., Any], blur_model: Path, image: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.npy"
    shapes = [
        [[2, 2], [2, 10], [10, 10]],
        {"points": [[60, 80], [60, 88], [68, 88], [68, 80]], "kind": "ellipse", "at": {"Z": 3}},
    ]
    words = ("--inside", json.dumps(shapes))
    outcome = command("predict", image, output, "-m", blur_model, *WORDS, *words)
    assert outcome.status == 0, outcome.err
    pixels = np.load(output)
    assert np.isfinite(pixels[:, 3, 6]).all()
    assert np.isfinite(pixels[:, 64, 84]).tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("wrong.npy", "the mask is YX 70×91, the image ZYX 4×70×90: give a mask of ZYX 4×70×90 or"),
        ("empty.npy", "nothing of the area is inside the mask"),
        ("missing.tif", "the mask cannot be opened: "),
        ("damaged.tif", "the mask cannot be read: "),
        ("[[[200, 200], [200, 300], [300, 300]]]", "nothing of the area is inside the shapes"),
        ("[[[0, 0], [9, 9]]]", "inside: shape 0: a polygon of 2 points: give 3 or more"),
        ("[]", "inside: there is no shape"),
    ],
)
def test_what_does_not_fit_is_one_line(
    command: Callable[..., Any],
    blur_model: Path,
    image: Path,
    tmp_path: Path,
    inside: str,
    message: str,
) -> None:
    np.save(tmp_path / "wrong.npy", np.ones((70, 91)))
    np.save(tmp_path / "empty.npy", np.zeros((70, 90)))
    (tmp_path / "damaged.tif").write_bytes(b"II*\0\x08")
    given = inside if inside.startswith("[") else str(tmp_path / inside)
    outcome = command(
        "predict", image, tmp_path / "out.ome.zarr", "-m", blur_model, *WORDS, "--inside", given
    )
    assert outcome.status == 1
    assert message in outcome.line
    assert not (tmp_path / "out.ome.zarr").exists()


def test_bad_usage(
    command: Callable[..., Any], blur_model: Path, image: Path, tmp_path: Path
) -> None:
    words = ("predict", image, tmp_path / "out.ome.zarr", "-m", blur_model)
    outcome = command(*words, "--inside", "[[1, 2], [3")
    assert outcome.status == 2
    assert "are no shapes: give a list of polygons" in outcome.line
    outcome = command(*words, "--inside", "mask.tif", "--plan", tmp_path / "plan.json")
    assert outcome.status == 2
    assert "--plan decides --inside already" in outcome.line


def test_a_run_goes_on_without_being_told_the_mask_again(
    command: Callable[..., Any], blur_model: Path, image: Path, labels: np.ndarray, tmp_path: Path
) -> None:
    mask, output = saved(tmp_path, labels, ".npy"), tmp_path / "out.ome.zarr"
    words = ("predict", image, output, "-m", blur_model, *WORDS)
    assert command(*words, "--inside", mask).status == 0
    outcome = command(*words, "--resume")
    assert outcome.status == 0, outcome.err
    assert "2 tiles done before" in outcome.out
    saved(tmp_path, np.roll(labels, 1, 0), ".npy")
    outcome = command(*words, "--inside", mask, "--resume")
    assert outcome.status == 1
    assert "the shapes or the mask (2 of 80 tiles along ZYX there, 2 of 80 tiles" in outcome.line
