"""Running a loaded network on a whole image: processing, network, processing."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tessera.models.loaded import Loaded
from napari_tessera.models.processing import SampleStatistics, Statistic


def measured(image: NDArray[np.float64], wanted: frozenset[Statistic]) -> SampleStatistics:
    """Statistics of an image C(Z)YX."""
    space = tuple(range(1, image.ndim))
    values = {}
    for one in wanted:
        axes = None if one.pooled else space
        found = {
            "mean": lambda axes=axes: image.mean(axes),
            "std": lambda axes=axes: image.std(axes),
            "quantile": lambda axes=axes, one=one: np.quantile(image, one.fraction, axes),
        }["quantile" if one.is_ordered else one.kind]()
        values[one] = np.broadcast_to(found, len(image)).copy()
    return SampleStatistics(values)


def predict_whole(loaded: Loaded, image: NDArray[np.generic]) -> NDArray[np.float64]:
    """Predict an image C(Z)YX in one piece, grey levels in and out."""
    processing = loaded.processing
    assert processing is not None
    plain = np.asarray(image, np.float64)

    def per_channel(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values.reshape(-1, *(1,) * (plain.ndim - 1))

    statistics = measured(plain, processing.needs)
    with torch.inference_mode():
        channels = loaded.network(torch.zeros(1, len(plain), *(16,) * (plain.ndim - 1))).shape[1]
        numbers = processing.resolve(statistics, len(plain), channels)
        given = (plain - per_channel(numbers.subtract)) / per_channel(numbers.divide)
        tile = torch.from_numpy(given.astype(np.float32))
        for step in numbers.before:
            tile = step(tile)
        answer = loaded.network(tile[None])[0]
        for step in numbers.after:
            answer = step(answer)
    result = answer.double().numpy()
    return result * per_channel(numbers.multiply) + per_channel(numbers.add)
