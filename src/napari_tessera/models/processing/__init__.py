"""What is done to grey levels before and after a network. Knows no torch when it is imported."""

from napari_tessera.models.processing.operations import (
    Affine,
    Binarize,
    Clip,
    EnsureDtype,
    MatchMeanVariance,
    Operation,
    Rescale,
    RescaleOutput,
    Sigmoid,
    Standardize,
    StandardizeOutput,
    Undo,
)
from napari_tessera.models.processing.processing import MEAN_STD, Processing, Resolved
from napari_tessera.models.processing.statistic import (
    MEAN,
    STD,
    SampleStatistics,
    Statistic,
    UnknownStatisticError,
    quantile,
)

__all__ = [
    "MEAN",
    "MEAN_STD",
    "STD",
    "Affine",
    "Binarize",
    "Clip",
    "EnsureDtype",
    "MatchMeanVariance",
    "Operation",
    "Processing",
    "Rescale",
    "RescaleOutput",
    "Resolved",
    "SampleStatistics",
    "Sigmoid",
    "Standardize",
    "StandardizeOutput",
    "Statistic",
    "Undo",
    "UnknownStatisticError",
    "quantile",
]
