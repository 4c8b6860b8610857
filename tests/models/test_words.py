from __future__ import annotations

import pytest

from napari_tessera.models.processing import (
    MEAN_STD,
    Affine,
    Binarize,
    Clip,
    ClipOutput,
    EnsureDtype,
    Inverse,
    MatchMeanVariance,
    Operation,
    Processing,
    Rescale,
    RescaleOutput,
    Sigmoid,
    Softmax,
    Standardize,
    StandardizeOutput,
    Undo,
)
from napari_tessera.models.words import normalization_text


def test_what_a_plan_does_where_a_file_says_nothing() -> None:
    assert normalization_text(None, "none") == "none"
    assert normalization_text(None, "time_point") == (
        "(x − mean) / std of each time point; undone after the network"
    )
    assert normalization_text(Processing(), "model") == "none"


def test_whose_numbers() -> None:
    own = Standardize((1.0,), (2.0,))
    assert normalization_text(Processing((own,), (Undo(own),)), "model") == (
        "(x − mean) / std by the model's numbers; after the network: back to grey levels"
    )
    series = Processing(MEAN_STD.before, MEAN_STD.after, "series")
    assert normalization_text(series, "model") == (
        "(x − mean) / std of the whole series; after the network: back to grey levels"
    )


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Affine((2.0,), (1.0, 3.0)), "x · 2 + 1 | 3"),
        (Rescale(low_fraction=0.01, high_fraction=0.998), "quantiles 1 % to 99.8 % of each time"),
        (Rescale(by_type=True), "8-bit images divided by 255, of others "),
        (Rescale((0.0,), (1.0,)), "quantiles 0 % to 100 % by the model's numbers to 0…1"),
        (Inverse(Affine(), Standardize((0.0,), (1.0,))), "back to grey levels"),
        (Clip(0.0, 1.0), "cut off below 0 and above 1"),
        (Clip(low=0.0), "cut off below 0"),
        (ClipOutput(high_fraction=0.99), "cut off beyond quantiles 0 % to 99 %"),
        (Sigmoid(), "sigmoid"),
        (Softmax(), "softmax"),
        (Binarize((0.5,)), "1 above 0.5, else 0"),
        (EnsureDtype("uint8"), "as uint8"),
        (StandardizeOutput(), "of the whole output"),
        (RescaleOutput(0.0, 0.9), "quantiles 0 % to 90 % of the whole output to 0…1"),
        (MatchMeanVariance(), "mean and std of the input"),
    ],
)
def test_every_operation_has_words(step: Operation, text: str) -> None:
    assert text in normalization_text(Processing((step,), (step,)), "model")
