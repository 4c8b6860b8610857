"""The moving picture of the README: made of a real run, small, and of the length that it had."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

SCRIPTS = Path(__file__).parents[1] / "scripts"
TOUR = SCRIPTS.parent / "docs" / "images" / "tour.webp"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield
    for name in ("recording_file", "recording_hand", "recording_camera"):
        sys.modules.pop(name, None)


@pytest.fixture
def recording_file(scripts: None) -> ModuleType:
    return importlib.import_module("recording_file")


def frames(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Pictures of a file, and how long each is on display, ms."""
    with Image.open(path) as picture:
        for number in range(picture.n_frames):
            picture.seek(number)
            picture.load()
            yield np.asarray(picture.convert("L"), np.int16), picture.info["duration"]


def check(path: Path) -> None:
    assert path.stat().st_size <= 3_000_000
    with Image.open(path) as picture:
        assert 800 <= picture.width <= 1000
        assert picture.info["loop"] == 0
    seen = list(frames(path))
    assert 8_000 <= sum(length for _, length in seen) <= 20_000
    # of each second there is something to be seen
    assert max(length for _, length in seen) <= 1_500
    moved = [np.abs(b - a).mean() for (a, _), (b, _) in pairwise(seen)]
    assert sum(change > 0.5 for change in moved) > 30


def test_the_documentation_has_it() -> None:
    check(TOUR)


@pytest.mark.slow
@pytest.mark.weekly
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is filmed in an X display")
def test_it_is_recorded_from_a_run(tmp_path: Path) -> None:
    path = tmp_path / "tour.webp"
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "recording.py"), str(path)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert path.stat().st_size <= 3_000_000
    assert len(list(frames(path))) > 30


def test_equal_pictures_are_one_and_times_are_kept(
    recording_file: ModuleType, tmp_path: Path
) -> None:
    film_of = importlib.import_module("recording_camera").Film
    place = importlib.import_module("recording_hand").Place
    raw = tmp_path / "film.rgb"
    grey = np.zeros((2, 60, 80, 3), np.uint8)
    grey[1] = 200
    raw.write_bytes(grey.tobytes())
    film = film_of(raw, (80, 60))
    film.times, film.indices = [10.0, 10.1, 10.2, 10.35], [0, 0, 1, 1]
    track = [place(9.0, 20, 20, False), place(10.3, 40, 30, True)]
    recording_file.write(film, track, tmp_path / "a.webp")
    pictures = list(frames(tmp_path / "a.webp"))
    # the picture changes at 0.2 s, the pointer at 0.3 s (seen at 0.35), and the last one stays 1 s
    assert [length for _, length in pictures] == [200, 150, 1000]
    first, second, third = (picture for picture, _ in pictures)
    assert np.abs(first[50:, :15]).max() < 20
    assert np.abs(second[50:, :15] - 200).max() < 20
    assert np.abs(third - second).max() > 50


def test_the_pointer_is_where_the_hand_was(recording_file: ModuleType) -> None:
    place = importlib.import_module("recording_hand").Place
    plain = Image.new("RGB", (100, 80))
    up = np.asarray(recording_file.draw_pointer(plain, place(0, 30, 40, False)))
    down = np.asarray(recording_file.draw_pointer(plain, place(0, 30, 40, True)))
    assert up[41:58, 31:42].max() == 255
    assert not up[:38].any()
    assert down[:40, 20:40].any()


@pytest.mark.parametrize(("moment", "x"), [(0.5, 1), (1.0, 1), (1.9, 1), (2.0, 2), (9.0, 3)])
def test_places_are_found_by_time(scripts: None, moment: float, x: float) -> None:
    hand = importlib.import_module("recording_hand")
    track = [hand.Place(at, at, 0.0, False) for at in (1.0, 2.0, 3.0)]
    assert hand.place_at(track, moment).x == x


def test_a_recording_that_is_too_large_is_refused(
    recording_file: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film_of = importlib.import_module("recording_camera").Film
    place = importlib.import_module("recording_hand").Place
    raw = tmp_path / "film.rgb"
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    raw.write_bytes(noise.tobytes())
    film = film_of(raw, (80, 60))
    film.times, film.indices = [0.0], [0]
    monkeypatch.setattr(recording_file, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="would have"):
        recording_file.write(film, [place(0, 9, 9, False)], tmp_path / "a.webp")
    assert not (tmp_path / "a.webp").exists()
