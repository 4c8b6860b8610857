"""Intensity statistics from a fixed subsample."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_tessera import open_stack
from napari_tessera.models.processing import MEAN, STD, Statistic, level, quantile
from napari_tessera.prediction import statistics
from napari_tessera.prediction.exact_statistics import measure_exactly
from napari_tessera.prediction.normalization import Normalization
from napari_tessera.prediction.statistics import measure
from napari_tessera.stacks.read_once import read_once


def test_time_points_have_their_own_a_z_stack_is_one_volume() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(100, 10, (3, 5, 2, 40, 50)).astype(np.float32)
    image[1] += 50
    image[:, :, 1] *= 3
    look = measure(open_stack(image, "TZCYX"), [0, 1, 2], None, "time_point")
    expected_mean = image.mean(axis=(1, 3, 4), dtype=np.float64)
    expected_std = image.std(axis=(1, 3, 4), dtype=np.float64)
    values = np.array(look.normalization.values)
    assert np.allclose(values[:, 0], expected_mean)
    assert np.allclose(values[:, 1], expected_std)
    one = look.normalization.of_sample(1, 1)
    assert one[MEAN] == pytest.approx([expected_mean[1, 1]])
    assert one[STD] == pytest.approx([expected_std[1, 1]])
    assert look.pixels == image.size


def test_a_series_has_one_for_all() -> None:
    image = np.random.default_rng(0).normal(10, 2, (4, 30, 30))
    look = measure(open_stack(image, "TYX"), range(4), None, "series")
    assert look.normalization.values[0][0] == pytest.approx([image.mean()])
    assert look.normalization.values[0][1] == pytest.approx([image.std()])
    assert look.normalization.of_sample(3)[MEAN] == pytest.approx([image.mean()])


def test_what_is_not_finite_is_left_out_and_counted() -> None:
    image = np.random.default_rng(0).normal(10, 2, (60, 60))
    expected = image[10:].mean()
    image[:10] = np.nan
    image[3] = np.inf
    look = measure(open_stack(image, "YX"), [0], None, "time_point")
    assert look.nonfinite == 600
    assert look.normalization.values[0][0] == pytest.approx([expected])


def test_an_image_of_nothing_finite_has_statistics() -> None:
    look = measure(open_stack(np.full((8, 8), np.nan), "YX"), [0], None, "time_point")
    assert look.normalization.values == (((0.0,), (0.0,)),)


def test_a_large_image_is_sampled_evenly() -> None:
    ramp = np.broadcast_to(np.arange(6000, dtype=np.float32), (3000, 6000))
    look = measure(open_stack(ramp, "YX"), [0], None, "time_point")
    assert look.pixels <= 2**20
    (mean,), (std,) = look.normalization.values[0]
    assert mean == pytest.approx(2999.5, rel=0.02)
    assert std == pytest.approx(ramp[0].std(), rel=0.05)
    again = measure(open_stack(ramp, "YX"), [0], None, "time_point")
    assert again == look


def test_zeros_and_saturated_pixels_are_counted() -> None:
    image = np.full((10, 10), 7, np.uint8)
    image[0] = 0
    image[1, :5] = 255
    look = measure(open_stack(image, "YX"), [0], None, "none")
    assert (look.zeros, look.saturated) == (10, 5)


def test_stripes_are_told_from_white_noise_and_from_structure() -> None:
    rng = np.random.default_rng(0)
    white = rng.normal(size=(256, 256))
    smeared = (white + np.roll(white, 1, axis=1)) / 2**0.5
    yy, xx = np.mgrid[:256, :256]
    structure = 20 * np.sin(yy / 5) * np.cos(xx / 5) + white
    excess = [
        measure(open_stack(image, "YX"), [0], None, "none").row_correlation
        for image in (white, structure, smeared)
    ]
    assert abs(excess[0]) < 0.05
    assert abs(excess[1]) < 0.05
    assert excess[2] > 0.3


@pytest.mark.parametrize(("axes", "shape"), [("YX", (1100, 1000)), ("TYX", (5, 700, 600))])
def test_stripes_are_found_on_a_part_of_the_pixels(
    axes: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(200, 5, shape)
    rows = rng.normal(0, 5, (*shape[:-1], 1))
    looked_at: list[int] = []
    add = statistics._Stripes.add

    def counted(self: statistics._Stripes, block: np.ndarray) -> None:
        looked_at.append(block.size)
        add(self, block)

    monkeypatch.setattr(statistics._Stripes, "add", counted)
    samples = range(shape[0] if axes == "TYX" else 1)
    even = measure(open_stack(noise, axes), samples, None, "series")
    striped = measure(open_stack(noise + rows, axes), samples, None, "series")
    assert abs(even.row_correlation) < 0.03
    assert striped.row_correlation > 0.3
    assert sum(looked_at) < (even.pixels + striped.pixels) / 2


@pytest.mark.parametrize("kind", ["time_point", "series"])
def test_quantiles_and_what_is_pooled(kind: str) -> None:
    rng = np.random.default_rng(0)
    image = rng.gamma(2, 50, (3, 2, 40, 50)).astype(np.float32)
    image[:, 1] *= 4
    image[0, 0, 0, 0] = np.nan
    wanted = (quantile(0.02), quantile(0.998, pooled=True), Statistic("mean", pooled=True))
    look = measure(open_stack(image, "TCYX"), range(3), None, kind, wanted)
    apart = measure(open_stack(image, "TCYX"), range(3), None, kind, wanted, apart=True)
    parts = list(image) if kind == "time_point" else [image.swapaxes(0, 1)]
    assert len(look.normalization.values) == len(parts)
    for row, alone, part in zip(
        look.normalization.values, apart.normalization.values, parts, strict=True
    ):
        channels = [channel[np.isfinite(channel)].astype(np.float64) for channel in part]
        together = np.concatenate(channels)
        assert np.allclose(row[0], [np.quantile(c, 0.02) for c in channels])
        assert np.allclose(row[1], np.quantile(together, 0.998))
        assert np.allclose(row[2], together.mean())
        assert np.allclose(alone[1], [np.quantile(c, 0.998) for c in channels])
        assert np.allclose(alone[2], [c.mean() for c in channels])


def test_quantiles_of_a_long_series_keep_few_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "KEPT_VALUES", 64 * 1024)
    image = np.random.default_rng(0).normal(0, 1, (100, 60, 70)).astype(np.float32)
    look = measure(open_stack(image, "TYX"), range(100), None, "series", (MEAN, quantile(0.5)))
    (_, (median,)) = look.normalization.values[0]
    assert abs(median) < 0.02


def test_quantiles_do_not_depend_on_what_else_is_predicted() -> None:
    image = np.random.default_rng(0).normal(100, 10, (600, 2, 90, 110)).astype(np.float32)
    stack = open_stack(image, "TCYX")
    wanted = (MEAN, quantile(0.01), quantile(0.99))
    whole = measure(stack, range(600), None, "time_point", wanted).normalization
    alone = measure(stack, [7], None, "time_point", wanted).normalization
    assert alone.values[0] == whole.values[7]


def test_json_round_trip() -> None:
    rows = (((1.0, 2.0), (5.0, 6.0)), ((3.0, 4.0), (7.0, 8.0)))
    values = Normalization(
        "time_point", (0, 3), (MEAN, quantile(0.998, pooled=True)), rows, False, "exact", 1e-3
    )
    assert Normalization.from_json(json.loads(json.dumps(values.to_json()))) == values
    values.check(0, 2)
    assert values.of_sample(2)[quantile(0.998, pooled=True)] == pytest.approx([5, 6])


@pytest.mark.parametrize("measured", ["sample", "exact"])
@pytest.mark.parametrize(
    ("dtype", "ends"),
    [("uint8", (0, 255)), ("int8", (-128, 127)), ("uint16", None), ("float32", None)],
)
def test_a_level_is_that_of_the_type_in_images_of_8_bits(
    measured: str, dtype: str, ends: tuple[int, int] | None
) -> None:
    values = np.random.default_rng(0).integers(3, 90, (2, 40, 50)).astype(dtype)
    stack = open_stack(values, "CYX")
    for pooled in (False, True):
        levels = (MEAN, level(0.01, pooled), level(0.99, pooled))
        if measured == "exact":
            found = measure_exactly(stack, [0], None, "time_point", levels)
        else:
            found = measure(stack, [0], None, "time_point", levels).normalization
        seen = found.of_sample(0)
        axes = None if pooled else (1, 2)
        for statistic, end in zip(levels[1:], ends or (None, None), strict=True):
            expected = np.quantile(values, statistic.fraction, axis=axes) if end is None else end
            assert np.allclose(seen[statistic], np.broadcast_to(expected, 2))


@pytest.mark.parametrize(
    ("axes", "shape", "chunks", "once"),
    [
        ("YX", (2048, 2048), (512, 512), True),
        ("YX", (2048, 2048), (64, 64), False),
        ("TYX", (4, 700, 700), (2, 700, 700), True),
        ("YX", (300, 300), (100, 100), False),
    ],
)
def test_a_chunk_with_several_blocks_is_decoded_once(
    axes: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    once: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = np.random.default_rng(0).poisson(200, shape).astype(np.uint16)
    array = zarr.create_array(tmp_path / "image.zarr", shape=shape, chunks=chunks, dtype="uint16")
    array[...] = image
    kept: list[object] = []

    def noted(stack: object) -> object:
        kept.append(stack)
        return read_once(stack)

    monkeypatch.setattr(statistics, "read_once", noted)
    samples = range(shape[0] if axes == "TYX" else 1)
    plain = measure(open_stack(image, axes), samples, None, "time_point")
    assert not kept
    with open_stack(tmp_path / "image.zarr", axes=axes) as stack:
        found = measure(stack, samples, None, "time_point")
        assert kept == [stack] * once
        # the statistics are those of the same pixels, however they are read
        assert found == plain
        np.testing.assert_array_equal(
            stack.extract_patch(0, None, (3, 5), (9, 9))[0],
            (image if axes == "YX" else image[0])[3:12, 5:14],
        )
