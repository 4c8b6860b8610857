"""``predict --hot-pixels --camera-offset --camera-gain``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera import open_stack, predict

Command = Callable[..., Any]
OPTIONS = ("--hot-pixels", "replace", "--camera-offset", "-12.5", "--camera-gain", "0.46")


@pytest.fixture
def source(tmp_path: Path, picture: Callable[..., Any]) -> Path:
    image = picture((3, 60, 70))
    image[:, 20, 30] = 60000
    tifffile.imwrite(tmp_path / "in.tif", image, photometric="minisblack")
    return tmp_path / "in.tif"


def test_they_reach_the_engine_and_a_run_goes_on_with_them(
    command: Command, source: Path, blur_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.ome.zarr"
    words = ("predict", source, output, "-m", blur_model, "--axes", "TYX", "--device", "cpu")
    outcome = command(*words, *OPTIONS)
    assert outcome.status == 0, outcome.err
    group = zarr.open_group(output, mode="r")
    decided = group.attrs["napari_tessera"]["plan"]["fingerprint_of"]
    assert (decided["camera_offset"], decided["camera_gain"]) == (-12.5, 0.46)
    assert decided["hot_pixels"]["what"] == "replace"
    made = np.asarray(group["0"][...])
    expected = predict(
        open_stack(source, "TYX"), blur_model, hot_pixels="replace", camera_offset=-12.5,
        camera_gain=0.46,
    )  # fmt: skip
    np.testing.assert_array_equal(made, expected)
    assert made.max() < 200
    assert command(*words, "--resume").status == 0
    assert command(*words, *OPTIONS, "--resume").status == 0
    outcome = command(*words, *OPTIONS[:4], "--camera-gain", "2", "--resume")
    assert outcome.status == 1
    assert "the camera's gain (0.46 there, 2.0 now) differs" in outcome.err


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--camera-gain", "0", "camera gain 0.0 is not above 0; give grey levels per"),
        ("--camera-gain", "nan", "camera gain nan is not finite"),
        ("--camera-gain", "half", "'half' is no number: give one like 0.46"),
        ("--camera-offset", "inf", "camera offset inf is not finite; give grey levels, like 100"),
        ("--hot-pixels", "drop", "drop"),
    ],
)
def test_bad_values_are_bad_usage(
    command: Command, source: Path, tmp_path: Path, option: str, value: str, told: str
) -> None:
    outcome = command("predict", source, tmp_path / "out.zarr", "-m", "a.pt", option, value)
    assert outcome.status == 2
    assert option in outcome.line
    assert told in outcome.line


def test_a_plan_decides_them_already(command: Command, source: Path, tmp_path: Path) -> None:
    outcome = command(
        "predict", source, tmp_path / "out.zarr", "-m", "a.pt", "--plan", "plan.json", *OPTIONS
    )
    assert outcome.status == 2
    assert "--plan decides --hot-pixels, --camera-offset, --camera-gain already" in outcome.line
