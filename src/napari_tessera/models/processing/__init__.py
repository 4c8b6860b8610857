"""What is done to grey levels before and after a network. Knows no torch when it is imported."""

from napari_tessera.models.processing.inverses import Inverse, Undo, undoes
from napari_tessera.models.processing.operations import (
    Affine,
    Binarize,
    Clip,
    EnsureDtype,
    Operation,
    Rescale,
    Sigmoid,
    Softmax,
    Standardize,
)
from napari_tessera.models.processing.output_operations import (
    ClipOutput,
    MatchMeanVariance,
    RescaleOutput,
    StandardizeOutput,
)
from napari_tessera.models.processing.processing import MEAN_STD, Processing, Resolved
from napari_tessera.models.processing.statistic import (
    MEAN,
    STD,
    SampleStatistics,
    Statistic,
    UnknownStatisticError,
    level,
    quantile,
)

__all__ = [
    "MEAN",
    "MEAN_STD",
    "STD",
    "Affine",
    "Binarize",
    "Clip",
    "ClipOutput",
    "EnsureDtype",
    "Inverse",
    "MatchMeanVariance",
    "Operation",
    "Processing",
    "Rescale",
    "RescaleOutput",
    "Resolved",
    "SampleStatistics",
    "Sigmoid",
    "Softmax",
    "Standardize",
    "StandardizeOutput",
    "Statistic",
    "Undo",
    "UnknownStatisticError",
    "level",
    "quantile",
    "undoes",
]
