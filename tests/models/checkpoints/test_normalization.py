"""What CAREamics does to grey levels, read from its settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_tessera.models.architectures import ArchitectureError, UNetSettings
from napari_tessera.models.checkpoints.normalization import read_normalization
from napari_tessera.models.processing import (
    Processing,
    Rescale,
    SampleStatistics,
    Standardize,
    Undo,
)

from .files import mean_std

TWO = UNetSettings(2, 2, 2, 2, 4)


def _read(settings: UNetSettings = TWO, **normalization: Any) -> Processing:
    found, warnings = read_normalization({"normalization": normalization}, settings)
    assert found is not None
    assert not warnings
    return found


def _there_and_back(processing: Processing, value: float) -> np.ndarray:
    """What one grey level becomes in each channel, and what 1 becomes."""
    numbers = processing.resolve(SampleStatistics({}), 2, 2)
    return np.stack(
        [(value - numbers.subtract) / numbers.divide, numbers.multiply * 1 + numbers.add]
    )


def test_one_number_for_each_channel() -> None:
    found = _read(**mean_std(input_means=[1, 2], input_stds=[4, 5]))
    np.testing.assert_allclose(
        _there_and_back(found, 10), [[9 / 4.000001, 8 / 5.000001], [5.000001, 7.000001]]
    )


def test_one_number_for_all_channels() -> None:
    for one in ([3.0], 3.0, "3"):
        found = _read(**mean_std(input_means=one, input_stds=2, per_channel=False))
        np.testing.assert_allclose(_there_and_back(found, 5), [[2 / 2.000001] * 2, [5.000001] * 2])


def test_the_way_back_takes_the_target() -> None:
    found = _read(
        **mean_std(input_means=[1], input_stds=[2], target_means=[100, 200], target_stds=[10, 20])
    )
    np.testing.assert_allclose(_there_and_back(found, 1)[1], [110.000001, 220.000001])
    assert found.measured().after == found.after, "the target's levels are not the image's"


def test_there_is_no_way_back_where_the_target_was_left_as_it_was() -> None:
    found = _read(**mean_std(skip_target=True))
    assert found.after == ()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("min_max", "mins", "maxes"),
        ("quantile", "lower_quantile_values", "upper_quantile_values"),
    ],
)
def test_ranges(name: str, low: str, high: str) -> None:
    # so narrow that eps counts: it is added on the way in only
    found = _read(name=name, **{f"input_{low}": [1.0, 2.0], f"input_{high}": [1 + 1e-7, 2 + 1e-7]})
    np.testing.assert_allclose(
        _there_and_back(found, 3), [[2 / 1.1e-7, 1 / 1.1e-7], [1 + 1e-7, 2 + 1e-7]], rtol=1e-6
    )
    assert found.measured().after == (Undo(found.measured().before[0]),)
    target = {f"target_{low}": 5, f"target_{high}": 7}
    found = _read(name=name, **{f"input_{low}": 0, f"input_{high}": 1}, **target)
    np.testing.assert_allclose(_there_and_back(found, 0)[1], [7, 7])


def test_no_normalization() -> None:
    assert _read(name="none") == Processing()


@pytest.mark.parametrize("pooled", [False, True])
def test_statistics_that_are_not_there_are_measured(pooled: bool) -> None:
    settings = mean_std(input_means=None, input_stds=[], per_channel=not pooled)
    found, (warning,) = read_normalization({"normalization": settings}, TWO)
    operation = Standardize(pooled=pooled)
    assert found == Processing((operation,), (Undo(operation),))
    assert "those of the image are used" in warning
    settings = {
        "name": "quantile",
        "lower_quantiles": 0.1,
        "upper_quantiles": [0.8, 0.9],
        "per_channel": not pooled,
    }
    found, _ = read_normalization({"normalization": settings}, TWO)
    ends = Rescale(low_fraction=0.1, high_fraction=0.8, pooled=pooled)
    assert found == Processing((ends,), (Undo(ends),))


def test_the_old_layout_without_statistics() -> None:
    found, (warning,) = read_normalization({"image_means": None, "image_stds": None}, TWO)
    assert found == Processing((Standardize(),), (Undo(Standardize()),))
    assert "those of the image" in warning
    assert read_normalization({"axes": "YX"}, TWO)[0] is None


@pytest.mark.parametrize(
    ("normalization", "says"),
    [
        ({"name": "zscore"}, "its normalization 'zscore' is none of mean_std"),
        ({"name": ["none"]}, "its normalization a list is none"),
        ({}, "its normalization None is none"),
        (mean_std(input_means=[1, 2, 3], input_stds=[1, 2, 3]), "3 input_means do not go with 2"),
        (mean_std(input_stds=None), "input_means and input_stds do not go together"),
        (mean_std(input_stds=[1, 2]), "input_means and input_stds do not go together"),
        (mean_std(target_means=[1, 2, 3], target_stds=[1, 2, 3]), "3 target_means do not go"),
        (mean_std(input_means=["12.3.4"]), "input_means hold '12.3.4', which is no number"),
        (mean_std(input_means=[True]), "input_means hold True, which is no number"),
        (mean_std(input_means=[[1]]), "input_means hold a list, which is no number"),
        (mean_std(input_means={}), "input_means hold a dict"),
        (mean_std(input_means=[float("nan")]), "input_means hold nan, which is not finite"),
        (mean_std(input_means=["1e999"]), "input_means hold inf, which is not finite"),
        (mean_std(input_means=[1 << 5000]), "an integer of 5001 bits, which is no number"),
        (mean_std(input_stds=[-1]), "input_stds -1.0 is below 0"),
        ({"name": "min_max", "input_mins": 1, "input_maxes": 1}, "1.0 is not below its input_max"),
        ({"name": "quantile", "lower_quantiles": 0.9, "upper_quantiles": 0.1}, "wrong order"),
        ({"name": "quantile", "lower_quantiles": -1}, "lower_quantiles -1.0 is outside 0…1"),
    ],
)
def test_absurd_numbers(normalization: dict[str, Any], says: str) -> None:
    with pytest.raises(ArchitectureError, match=says):
        read_normalization({"normalization": normalization}, TWO)


def test_an_output_of_other_channels_needs_numbers_of_its_own() -> None:
    one = UNetSettings(2, 2, 1, 2, 4, independent=False)
    own = mean_std(input_means=[1, 2], input_stds=[1, 2])
    with pytest.raises(ArchitectureError, match="2 input_means do not go with 1 output"):
        read_normalization({"normalization": own}, one)
    given = {**own, "target_means": [5], "target_stds": [6]}
    assert read_normalization({"normalization": given}, one)[0] is not None
