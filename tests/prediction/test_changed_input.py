"""Images that were changed between a run and its resumption."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera import open_stack, predict_to_disk
from napari_tessera.prediction import PlanError, Progress
from napari_tessera.prediction.matching import MOST_SAMPLES, image_fingerprint
from napari_tessera.prediction.run_facts import MOST_FILES, file_facts


def half(x: Any) -> Any:
    return x / 2


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Path, Path]:
    """A file, and a run over it that was stopped after its first tiles."""
    source, place = tmp_path / "in.tif", tmp_path / "out.ome.zarr"
    tifffile.imwrite(source, noise((5, 300, 300)), metadata={"axes": "TYX"})
    stop = Event()

    def after_some(state: Progress) -> None:
        if state.done >= 4:
            stop.set()

    predict_to_disk(
        source, half, place, patch_size=128, batch_size=1, cancel=stop, progress=after_some
    )
    return source, place


def state(place: Path) -> Any:
    attributes: Any = zarr.open_group(place, mode="r").attrs["napari_tessera"]
    return attributes["state"]


@pytest.mark.parametrize("settings", [{}, {"patch_size": 128}])
def test_a_file_that_was_changed_is_named(begun: tuple[Path, Path], settings: Any) -> None:
    source, place = begun
    pixels = noise((5, 300, 300))
    # between the blocks that the fingerprint is of
    pixels[1, 80:110, 80:110] = 0
    tifffile.imwrite(source, pixels, metadata={"axes": "TYX"})
    with pytest.raises(ValueError, match=r"in\.tif was changed after the run began; put") as caught:
        predict_to_disk(source, half, place, resume=True, **settings)
    assert "\n" not in str(caught.value)
    assert state(place) == "stopped"
    predict_to_disk(source, half, place, overwrite=True, **settings)
    np.testing.assert_array_equal(zarr.open_group(place, mode="r")["0"][1], pixels[1] / 2)


def test_a_file_that_is_touched_counts_as_changed(begun: tuple[Path, Path]) -> None:
    source, place = begun
    was = source.stat()
    os.utime(source, ns=(was.st_atime_ns, was.st_mtime_ns + 1_000_000_000))
    with pytest.raises(ValueError, match="was changed"):
        predict_to_disk(source, half, place, resume=True)
    os.utime(source, ns=(was.st_atime_ns, was.st_mtime_ns))
    predict_to_disk(source, half, place, resume=True)
    assert state(place) == "finished"


def test_a_file_that_was_moved_is_known_by_its_pixels(begun: tuple[Path, Path]) -> None:
    source, place = begun
    moved = source.with_name("moved.tif")
    # with another time
    shutil.copyfile(source, moved)
    source.unlink()
    predict_to_disk(moved, half, place, resume=True)
    assert state(place) == "finished"


@pytest.mark.parametrize("samples", [1, 2, 3, 6, 8])
def test_every_sample_of_a_few_is_known_again(samples: int) -> None:
    pixels = noise((samples, 96, 80))
    prints = {image_fingerprint(open_stack(pixels, "TYX"))}
    for sample in range(samples):
        changed = pixels.copy()
        changed[sample] = 0
        prints.add(image_fingerprint(open_stack(changed, "TYX")))
    assert len(prints) == samples + 1


def test_of_many_samples_a_few_are_read() -> None:
    class Counted:
        shape, ndim, dtype = (500, 96, 80), 3, np.dtype(np.uint16)

        def __init__(self) -> None:
            self.seen: set[int] = set()

        def __getitem__(self, key: Any) -> np.ndarray:
            first = range(500)[key[0]]
            self.seen.update(first if isinstance(first, range) else [first])
            return np.zeros(self.shape, self.dtype)[key]

    counted = Counted()
    image_fingerprint(open_stack(counted, "TYX"))
    assert len(counted.seen) == MOST_SAMPLES
    assert {0, 499} < counted.seen
    assert max(np.diff(sorted(counted.seen))) <= 72


def test_an_image_without_its_pixels_is_another(begun: tuple[Path, Path], tmp_path: Path) -> None:
    source, place = begun
    tifffile.imwrite(source, np.zeros((5, 300, 300), np.uint16), metadata={"axes": "TYX"})
    with pytest.raises(PlanError, match="other pixels"):
        predict_to_disk(source, half, place, resume=True)


def test_facts_are_of_files_that_there_are(tmp_path: Path) -> None:
    names = [tmp_path / f"{number}.tif" for number in range(MOST_FILES + 3)]
    for name in names:
        name.write_bytes(b"123")
    (tmp_path / "store.zarr").mkdir()
    facts = file_facts([tmp_path / "store.zarr", tmp_path / "none.tif", *names])
    assert len(facts) == MOST_FILES - 2
    assert facts[str(names[0])] == (3, names[0].stat().st_mtime_ns)
