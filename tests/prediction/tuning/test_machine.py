"""Measuring this machine for real: briefly, with real files, and nothing left behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch
import zarr
from torch import nn

from napari_tessera.models import Model, load_model
from napari_tessera.prediction.tuning import machine
from napari_tessera.prediction.tuning.limits import matrix_rate
from napari_tessera.prediction.tuning.machine import (
    MeasuringRefusedError,
    measure_machine,
)
from napari_tessera.prediction.tuning.sample_image import noisy_image, write_zarr
from napari_tessera.prediction.tuning.stopping import Listener, MeasuringStoppedError


def small(dims: int = 2, channels: int = 1) -> Model:
    kind = nn.Conv2d if dims == 2 else nn.Conv3d
    layers = kind(channels, 8, 3, padding=1), kind(8, 1, 3, padding=1)
    return load_model(nn.Sequential(*layers), device="cpu")


@pytest.mark.parametrize(("dims", "channels"), [(2, 1), (2, 2), (3, 1)])
def test_everything_is_measured_and_nothing_is_left(
    tmp_path: Path, dims: int, channels: int
) -> None:
    said: list[float] = []
    model = small(dims, channels)
    report = measure_machine(
        model,
        size=96,
        torch_threads=1,
        seconds=1.0,
        folder=tmp_path,
        progress=lambda progress: said.append(progress.part),
    )
    assert list(tmp_path.iterdir()) == []
    axes = ("C" if channels > 1 else "") + "ZYX"[-dims:]
    assert report.axes == axes
    assert report.shape[-2:] == (96, 96)
    for rate in (report.read, report.write, report.arrays, report.zarrs, report.matrix_flops):
        assert rate > 0
    best = report.tuned.best
    assert best in report.tuned.table
    assert report.multiplications_per_pixel == model.work_per_pixel
    work = 8 * (channels + 1) * 3**dims
    assert model.work_per_pixel == work
    computed = best.batch_size * np.prod(best.patch_size) / best.seconds
    assert report.model_flops == pytest.approx(2 * work * computed)
    assert report.model_fraction == report.model_flops / report.matrix_flops
    assert report.limited_by in ("reading", "model", "writing")
    assert said == sorted(said)
    assert said[-1] == 1.0
    facts = json.loads(json.dumps(report.to_json()))
    assert facts["best"]["patch_size_pixels"] == list(best.patch_size)
    assert facts["reading_megapixels_per_second"] == report.read / 1e6


def test_the_image_is_one_that_a_run_has_time_for(tmp_path: Path) -> None:
    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(1, 64, 3, padding=1), nn.Conv2d(64, 1, 3, padding=1)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x)

    model = load_model(Slow(), device="cpu")
    report = measure_machine(model, size=4096, torch_threads=1, seconds=0.5, folder=tmp_path)
    assert report.wanted_size == 4096
    assert report.shape[-1] < 4096
    assert report.shape[-1] >= min(report.tuned.patch_size[-1], 4096)


@pytest.mark.parametrize("when", [0.0, 0.1, 0.5])
def test_nothing_is_left_after_a_stop(tmp_path: Path, when: float) -> None:
    cancel = Event()

    def stop(progress: Any) -> None:
        if progress.part >= when:
            cancel.set()

    with pytest.raises(MeasuringStoppedError):
        measure_machine(
            small(), size=96, seconds=1.0, folder=tmp_path, cancel=cancel, progress=stop
        )
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_counted_is_not_told(tmp_path: Path) -> None:
    model = load_model(lambda x: torch.from_numpy(2 * x.numpy()), device="cpu")
    report = measure_machine(model, size=64, torch_threads=1, seconds=0.3, folder=tmp_path)
    assert report.multiplications_per_pixel is report.model_flops is report.model_fraction is None
    assert report.to_json()["model_gflop_per_second"] is None


def test_nothing_is_left_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, image: Any) -> None:
        write_zarr(path, image)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(machine, "write_zarr", fail)
    with pytest.raises(OSError, match="No space"):
        measure_machine(small(), size=64, seconds=0.5, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MeasuringRefusedError, match=r"size 63 is too small .* use 64 or more"):
        measure_machine(small(), size=63, folder=tmp_path)
    with pytest.raises(MeasuringRefusedError, match=r"size 10000000 takes .* use \d+ or less"):
        measure_machine(small(), size=10**7, folder=tmp_path)
    with pytest.raises(MeasuringRefusedError, match=r"nothing can be written to .*gone.*TMPDIR"):
        measure_machine(small(), folder=tmp_path / "gone")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10**6))
    with pytest.raises(MeasuringRefusedError, match=r"0\.0 GB are free for it: use 384 or less"):
        measure_machine(small(), folder=tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2 * 10**6))
    with pytest.raises(MeasuringRefusedError, match="of memory"):
        measure_machine(small(), folder=tmp_path)


def test_an_image_is_as_noisy_as_photons_and_lies_in_chunks(tmp_path: Path) -> None:
    image = noisy_image((2, 300, 280))
    assert image.dtype == np.uint16
    noise = (image[0].astype(float) - image[1]) / np.sqrt(2)
    assert noise.var() == pytest.approx(image.mean(), rel=0.05)
    write_zarr(tmp_path / "a.zarr", image)
    stored = zarr.open_array(tmp_path / "a.zarr", mode="r")
    assert stored.chunks == (1, 256, 256)
    np.testing.assert_array_equal(stored[...], image)


def test_products_of_matrices_get_smaller_where_memory_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, edges = torch.mm, []

    def mm(left: torch.Tensor, right: torch.Tensor, *, out: torch.Tensor) -> torch.Tensor:
        edges.append(len(left))
        if len(left) > 400:
            raise torch.OutOfMemoryError("out of memory")
        return real(left, right, out=out)

    monkeypatch.setattr(torch, "mm", mm)
    assert matrix_rate(torch.device("cpu"), 0.05, Listener()) > 0
    assert edges[:3] == [1536, 768, 384]

    def never(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(torch, "mm", never)
    with pytest.raises(MemoryError):
        matrix_rate(torch.device("cpu"), 0.05, Listener())


@pytest.mark.parametrize(
    ("told", "limit"), [("read", "reading"), ("model", "model"), ("write", "writing")]
)
def test_what_a_run_waited_for_is_what_limits_it(told: str, limit: str) -> None:
    best: Any = SimpleNamespace(pixels_per_second=5.0)
    assert machine._limit(told, {"reading": 9.0, "writing": 9.0}, best) == limit


def test_where_a_run_is_too_short_the_slowest_stage_is() -> None:
    best: Any = SimpleNamespace(pixels_per_second=5.0)
    assert machine._limit(None, {"reading": 9.0, "writing": 4.0}, best) == "writing"
    assert machine._limit(None, {"reading": 9.0, "writing": 9.0}, best) == "model"
