"""The scripted tour: each picture is there, of its size, small, and shows something."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[1] / "scripts" / "screenshots.py"
IMAGES = SCRIPT.parents[1] / "docs" / "images"
MOST_BYTES = 250_000


@pytest.fixture(scope="module")
def tour() -> ModuleType:
    spec = importlib.util.spec_from_file_location("screenshots", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(path: Path, tour: ModuleType) -> None:
    assert path.stat().st_size <= MOST_BYTES
    with Image.open(path) as picture:
        assert picture.size == tour.WINDOW
        pixels = np.asarray(picture.convert("L"))
    for part in np.array_split(pixels, 3, axis=1):
        # the layer list, the canvas and the dock
        assert np.unique(part).size > 8, path.name


@pytest.mark.slow
@pytest.mark.weekly
@pytest.mark.parametrize("part", range(3))
def test_the_tour_takes_a_picture_of_each_state(
    tour: ModuleType, tmp_path: Path, part: int
) -> None:
    names = list(tour.SCENES)[part::3]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), "--only", *names],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.iterdir()} == set(names)
    for path in tmp_path.iterdir():
        check(path, tour)


def test_the_documentation_has_a_picture_of_each_state(tour: ModuleType) -> None:
    assert {path.stem for path in IMAGES.glob("*.png")} == set(tour.SCENES)
    for path in IMAGES.glob("*.png"):
        check(path, tour)


def test_pictures_that_pages_show_are_there() -> None:
    root = SCRIPT.parents[1]
    for page in (root / "README.md", *(root / "docs").rglob("*.md")):
        for part in page.read_text(encoding="utf-8").split("](")[1:]:
            name = part.partition(")")[0]
            if name.endswith((".png", ".webp", ".svg")):
                assert (page.parent / name).is_file(), f"{page.name}: {name}"


def test_the_page_lists_the_keys_there_are() -> None:
    from napari_tessera.widgets.fields.main_key import WHAT_KEYS_DO

    page = (IMAGES.parent / "window.md").read_text(encoding="utf-8")
    listed = [line for line in page.splitlines() if line.startswith("| ")][1:]
    keys = [(key.replace("Control", "Ctrl").replace("-", "+"), does) for key, does in WHAT_KEYS_DO]
    assert listed == [f"| {key} | {does} |" for key, does in keys]
