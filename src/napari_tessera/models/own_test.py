"""Running the test that a package brings for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.processing import (
    Processing,
    SampleStatistics,
    Statistic,
    UnknownStatisticError,
)

if TYPE_CHECKING:
    from napari_tessera.models.model import Model


@dataclass(frozen=True)
class OwnTestResult:
    """How far a model is from the output that its package gives.

    Parameters
    ----------
    max_difference : float
        Largest absolute difference of a pixel; NaN where the shapes or what is finite differ.
    allowed : float
        Absolute tolerance of the package; its relative one comes on top.
    passed : bool
        Whether no more pixels differ than the package allows.
    message : str
        One line for people.
    """

    max_difference: float
    allowed: float
    passed: bool
    message: str


def run_own_test(model: Model) -> OwnTestResult:
    """Run a package's test tensors through its processing and its network.

    The whole tensor goes through at once, on the CPU in float32; statistics are those of the
    tensor itself.

    Parameters
    ----------
    model : Model
        A model with test tensors (``model.loaded.own_test``).

    Returns
    -------
    OwnTestResult
        A network that fails on its own test tensor has failed the test.

    Raises
    ------
    ModelError
        If the package has no test tensors, or they are damaged.
    """
    test = model.loaded.own_test
    if test is None:
        raise ModelError.not_usable(
            model.name, "it has no test of its own", "Only BioImage.IO packages bring one"
        )
    given, expected = test.read()
    try:
        answer = _predicted(model, given, expected.shape[1])
    except Exception as error:
        # any exception: the network is somebody's code
        return _failed(test.absolute_tolerance, f"the network fails on it ({message_line(error)})")
    answer = _without_halo(answer, expected.shape, test.halo)
    if answer.shape != expected.shape:
        shapes = ("×".join(map(str, array.shape)) for array in (answer, expected))
        why = "it returns {} where {} is expected".format(*shapes)
        return _failed(test.absolute_tolerance, why)
    return _compared(
        answer,
        expected,
        test.absolute_tolerance,
        test.relative_tolerance,
        test.mismatched_per_million,
    )


def _compared(
    answer: NDArray[Any],
    expected: NDArray[Any],
    absolute: float,
    relative: float,
    per_million: float,
) -> OwnTestResult:
    """Compare as ``numpy.testing.assert_allclose`` does: equal where neither is finite."""
    wanted = expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.abs(answer.astype(np.float64) - wanted)
        alike = (answer == wanted) | (np.isnan(answer) & np.isnan(wanted))
        off = ~(alike | (difference <= absolute + relative * np.abs(wanted)))
    difference[alike] = 0.0
    largest = float(difference.max())
    if not np.isfinite(largest):
        return _failed(absolute, "what it returns is not finite where the expected output is")
    share = float(off.mean())
    passed = share * 1e6 <= per_million
    more = f" plus {100 * relative:.3g} % of the value" if relative else ""
    limit = f"at most {absolute:.3g}{more} is allowed"
    if passed:
        message = f"the package's own test passes (largest difference {largest:.3g}; {limit})"
    else:
        message = (
            f"the package's own test fails by {largest:.3g} ({limit}): "
            f"{share:.1%} of the pixels are not what its authors got"
        )
    return OwnTestResult(largest, absolute, passed, message)


def _failed(allowed: float, why: str) -> OwnTestResult:
    return OwnTestResult(np.nan, allowed, False, f"the package's own test fails: {why}")


def _predicted(model: Model, given: NDArray[Any], out_channels: int) -> NDArray[np.float64]:
    """Whole tensor in, whole tensor out, both NC(Z)YX in grey levels."""
    processing = model.processing or Processing()
    table = [tensor_statistics(processing, sample[None]) for sample in given]
    if processing.scope == "series":
        table = [tensor_statistics(processing, given)] * len(given)
    channels = given.shape[1]
    resolved = [processing.resolve(row, channels, out_channels) for row in table]
    prepared = [
        numbers.prepared(torch.from_numpy(numbers.scaled(sample)))
        for sample, numbers in zip(given, resolved, strict=True)
    ]
    with torch.no_grad():
        answer = model.loaded.network(torch.stack(prepared))
    answer = torch.as_tensor(answer).float()
    if answer.ndim != given.ndim or answer.shape[:2] != (len(given), out_channels):
        return answer.double().numpy()
    finished = [
        numbers.shifted(numbers.finished(tile))
        for tile, numbers in zip(answer, resolved, strict=True)
    ]
    return np.stack(finished)


def _without_halo(
    answer: NDArray[np.float64], expected: Sequence[int], halo: Sequence[int]
) -> NDArray[np.float64]:
    """The answer without its halo, where the package gives the expected output without it."""
    if not any(halo) or answer.ndim != len(halo) + 2:
        return answer
    inner = [slice(h, n - h) for h, n in zip(halo, answer.shape[2:], strict=True)]
    cropped: NDArray[np.float64] = answer[(slice(None), slice(None), *inner)]
    return cropped if cropped.shape == tuple(expected) else answer


def tensor_statistics(processing: Processing, samples: NDArray[Any]) -> SampleStatistics:
    """Statistics that a processing needs, of samples NC(Z)YX taken together."""
    by_channel = np.moveaxis(samples, 1, 0).reshape(samples.shape[1], -1).astype(np.float64)
    values = {}
    for statistic in processing.needs:
        pixels = by_channel.reshape(1, -1) if statistic.pooled else by_channel
        values[statistic] = np.broadcast_to(_measured(statistic, pixels), len(by_channel)).copy()
    return SampleStatistics(values)


def _measured(statistic: Statistic, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64]
    match statistic.kind:
        case "mean":
            found = pixels.mean(axis=1)
        case "std":
            found = pixels.std(axis=1)
        case "quantile" | "level":
            found = np.quantile(pixels, statistic.fraction, axis=1)
        case _:
            raise UnknownStatisticError(f"the {statistic} is not known")
    return found
