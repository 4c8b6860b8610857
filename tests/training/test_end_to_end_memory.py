"""Images that are larger than any memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_tessera.training.data.foreground import BUDGET

GB = 10**9


@pytest.fixture(scope="module")
def hundred_gigabytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Zarr of 1000 planes of 10,240² pixels, 105 GB: real chunks of noise, one file's links."""
    store = tmp_path_factory.mktemp("big") / "big.zarr"
    made = zarr.create_array(
        store, shape=(1000, 10240, 10240), chunks=(4, 1280, 1280), dtype=np.uint8
    )
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:1280, :1280]
    light = 60 + 40 * np.sin(x / 30) * np.cos(y / 50)
    made[:4, :1280, :1280] = rng.poisson(light, (4, 1280, 1280)).astype(np.uint8)
    assert made.nbytes > 100 * GB
    first = store / "c" / "0" / "0" / "0"
    for planes in range(250):
        for row in range(8):
            folder = store / "c" / str(planes) / str(row)
            folder.mkdir(parents=True, exist_ok=True)
            for column in range(8):
                if (planes, row, column) != (0, 0, 0):
                    os.link(first, folder / str(column))
    return store


@pytest.fixture(scope="module")
def large_plane(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Zarr of one plane of 23,000² pixels, 529 MB: dim chunks, and one in three with a disc."""
    store = tmp_path_factory.mktemp("plane") / "plane.zarr"
    made = zarr.create_array(store, shape=(23000, 23000), chunks=(1000, 1000), dtype=np.uint8)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:1000, :1000]
    disc = np.hypot(y - 500, x - 500) < 200
    made[:1000, :1000] = rng.poisson(20, (1000, 1000)).astype(np.uint8)
    made[:1000, 1000:2000] = rng.poisson(20 + 60 * disc).astype(np.uint8)
    for row in range(23):
        folder = store / "c" / str(row)
        folder.mkdir(parents=True, exist_ok=True)
        for column in range(23):
            kind = (row + column) % 3 == 1
            if (row, column) not in ((0, 0), (0, 1)):
                os.link(store / "c" / "0" / str(int(kind)), folder / str(column))
    return store


@pytest.mark.slow
@pytest.mark.weekly
@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured by what Windows has not")
@pytest.mark.parametrize(
    ("mask", "changes"),
    [
        ("foreground", {}),
        (None, {"spatial_dims": 3, "patch_size": [8, 32, 32], "batch_size": 2}),
    ],
    ids=["2D foreground", "3D"],
)
def test_a_hundred_gigabytes_are_trained_on_in_less_than_two(
    hundred_gigabytes: Path, tmp_path: Path, mask: str | None, changes: dict[str, Any]
) -> None:
    peak, _ = most_memory(hundred_gigabytes, "ZYX", tmp_path, mask, changes)
    assert peak < 2 * GB


@pytest.mark.slow
@pytest.mark.weekly
@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured by what Windows has not")
def test_the_foreground_of_a_large_plane_is_found_in_less_than_two(
    large_plane: Path, tmp_path: Path
) -> None:
    # as large as planes may be that are looked at
    assert 0.95 * BUDGET < zarr.open_array(large_plane).nbytes <= BUDGET
    peak, summary = most_memory(large_plane, "YX", tmp_path, "foreground", {})
    assert "4 % of the image is foreground" in summary
    assert peak < 2 * GB


def most_memory(
    source: Path, axes: str, folder: Path, mask: str | None, changes: dict[str, Any]
) -> tuple[int, list[str]]:
    """Train a few steps in a process of its own: what it took at most, and what it said."""
    settings = {"steps": 6, "depth": 1, "features": 4, "batch_size": 4, "validate_every": 3}
    model = folder / "net.safetensors"
    job = {
        "source": str(source),
        "axes": axes,
        "model_out": str(model),
        "mask": mask,
        "settings": settings | changes,
    }
    script = Path(__file__).with_name("big_training.py")
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), json.dumps(job)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    assert model.is_file()
    *summary, peak = ended.stdout.splitlines()
    print(peak, "bytes at most")
    return int(peak), summary
