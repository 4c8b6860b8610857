from __future__ import annotations

import numpy as np
import pytest

from napari_tessera.models.processing import (
    MEAN,
    SampleStatistics,
    Statistic,
    UnknownStatisticError,
    quantile,
)


def test_names_for_people() -> None:
    assert str(MEAN) == "mean"
    assert str(quantile(0.998)) == "quantile 0.998"
    assert str(Statistic("std", pooled=True)) == "std of all channels"


def test_some_channels_of_many() -> None:
    statistics = SampleStatistics({MEAN: np.array([1.0, 2.0, 3.0])})
    assert statistics.of_channels(slice(1, 3))[MEAN].tolist() == [2.0, 3.0]


def test_what_was_not_measured() -> None:
    with pytest.raises(UnknownStatisticError, match=r"^the quantile 0\.5 is not known there$"):
        SampleStatistics({})[quantile(0.5)]
