"""Each check finds what it is there for, in one line; right strategies pass them all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera.testing import WRITE_STRATEGY_CHECKS, check_write_strategy
from napari_tessera.writing import (
    ArrayWriter,
    CachedTiles,
    RunInfo,
    WriteImage,
    WriteTilesZarr,
    fill_value,
    write_npy,
)

from .broken_strategies import BROKEN, Right, read

CASES = [
    pytest.param(check, broken, message, id=f"{check}-{broken.__name__}")
    for check, cases in BROKEN.items()
    for broken, message in cases
]

by_name = pytest.mark.parametrize(
    "check", WRITE_STRATEGY_CHECKS.values(), ids=WRITE_STRATEGY_CHECKS
)


@by_name
def test_a_right_strategy_passes(check: Any) -> None:
    check(Right, read)


@pytest.mark.parametrize(("check", "broken", "message"), CASES)
def test_a_broken_strategy_fails(check: str, broken: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as error:
        WRITE_STRATEGY_CHECKS[check](broken, read)
    text = str(error.value)
    assert text.startswith(f"{broken.__name__}: {check}: ")
    assert "\n" not in text
    with pytest.raises(AssertionError):
        check_write_strategy(broken, read)


def test_every_check_has_a_strategy_that_it_finds() -> None:
    assert set(BROKEN) == set(WRITE_STRATEGY_CHECKS)
    assert all(check.__doc__ for check in WRITE_STRATEGY_CHECKS.values())


def read_npy(run: RunInfo) -> Any:
    assert run.dirpath is not None
    (path,) = run.dirpath.glob(f"{Path(run.source).stem}.npy")
    return np.load(path)


@by_name
def test_tiles_that_are_cached(check: Any) -> None:
    check(lambda run: CachedTiles(write_npy, ".npy", {}), read_npy)


@by_name
def test_tiles_in_a_person_s_own_files(check: Any) -> None:
    def write(file_path: Path, img: np.ndarray) -> None:
        tifffile.imwrite(file_path, img, photometric="minisblack")

    def read_tiff(run: RunInfo) -> Any:
        assert run.dirpath is not None
        (path,) = run.dirpath.glob(f"{Path(run.source).stem}.tif")
        return tifffile.imread(path).reshape(run.region.selected_shape)

    check(lambda run: CachedTiles(write, ".tif", {}), read_tiff, dtypes=("float32", "int16"))


@by_name
def test_whole_samples(check: Any) -> None:
    check(lambda run: WriteImage(write_npy, ".npy", {}), read_npy, whole_samples=True)


@by_name
def test_arrays_by_source(check: Any) -> None:
    def read_array(run: RunInfo) -> Any:
        assert run.dirpath is not None
        name = f"{Path(run.source).stem}_output.zarr"
        array = zarr.open_array(str(run.dirpath / name / "0"), mode="r")
        return array[:][np.ix_(*run.region.indices)]

    check(lambda run: WriteTilesZarr(), read_array)


@by_name
def test_an_image_of_its_own(check: Any) -> None:
    def make(run: RunInfo) -> WriteTilesZarr:
        assert run.dirpath is not None
        return WriteTilesZarr(run.dirpath / "out.ome.zarr")

    def read_level(run: RunInfo) -> Any:
        assert run.dirpath is not None
        array: Any = zarr.open_group(str(run.dirpath / "out.ome.zarr"), mode="r")["0"]
        axes, sizes = (
            run.region.axes,
            dict(zip(run.region.axes, run.region.selected_shape, strict=True)),
        )
        order = [letter for letter in "STCZYX" if letter in axes]
        pixels = np.asarray(array[:]).reshape([sizes[letter] for letter in order])
        return pixels.transpose([order.index(letter) for letter in axes])

    check(make, read_level, by_hand=False)


@by_name
def test_an_array_in_memory(check: Any) -> None:
    arrays: list[np.ndarray] = []

    def make(run: RunInfo) -> ArrayWriter:
        dtype = run.output_dtype
        arrays.append(np.full(run.region.selected_shape, fill_value(dtype), dtype))
        return ArrayWriter(arrays[-1], run.region)

    check(make, lambda run: arrays[-1], by_hand=False, overwrites=True)


def test_what_the_strategy_raised_is_the_cause() -> None:
    class Failing(Right):
        def write_batch(self, *_: Any) -> None:
            raise OSError("disk gone\nsee the manual")

    with pytest.raises(AssertionError) as error:
        WRITE_STRATEGY_CHECKS["batches"](Failing, read)
    assert str(error.value) == "Failing: batches: write_batch raised OSError: disk gone"
    assert isinstance(error.value.__cause__, OSError)


def test_what_cannot_be_made_is_named() -> None:
    def make(run: RunInfo) -> Any:
        raise ValueError("no licence")

    with pytest.raises(AssertionError, match="making it raised ValueError: no licence"):
        WRITE_STRATEGY_CHECKS["batches"](make, read)


def test_no_test_runner_is_needed() -> None:
    code = (
        "import sys, napari_tessera.testing as t; t.check_write_strategy; "
        "assert 'pytest' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
