"""What a package does to grey levels, put together from its two chains of operations."""

from __future__ import annotations

import numpy as np

from napari_tessera.models.bioimageio.description import PackageDescription
from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.operations import Chain
from napari_tessera.models.processing import (
    Binarize,
    EnsureDtype,
    Operation,
    Processing,
    SampleStatistics,
    UnknownStatisticError,
)

_REORDER = "Ask its author to measure the image before other operations change it"


def read_processing(description: PackageDescription) -> Processing:
    """Put a package's operations together.

    Casts that the format implies are added: to the type that the network takes, and to that of the
    prediction. A cast at the very beginning says of what type images are, and is left out where
    others follow: an image of another type is read as it is, not squeezed into that one.

    Raises
    ------
    DescriptionError
        If an operation needs a number that cannot be known where it stands, or if its numbers do
        not go with the channels.
    """
    before = _without_declaration(description.image.chain)
    before = _ending_in(before, description.network_dtype)
    after = _ending_in(description.prediction.chain.operations, description.prediction.dtype)
    scopes = {description.image.chain.scope, description.prediction.chain.scope}
    processing = Processing(before, after, "series" if "series" in scopes else "time_point")
    processing = processing.with_inverses()
    _check(processing, description)
    return processing


def _without_declaration(chain: Chain) -> tuple[Operation, ...]:
    operations = chain.operations
    while len(operations) > 1 and isinstance(operations[0], EnsureDtype):
        operations = operations[1:]
    return operations


def _ending_in(operations: tuple[Operation, ...], dtype: str) -> tuple[Operation, ...]:
    is_settled = operations and isinstance(operations[-1], EnsureDtype | Binarize)
    ended = operations if is_settled else (*operations, EnsureDtype(dtype))
    return tuple(
        step
        for step in ended
        if not (isinstance(step, EnsureDtype) and step.dtype in ("float32", "float64"))
    )


def _check(processing: Processing, description: PackageDescription) -> None:
    """Resolve it once with made-up statistics."""
    channels = description.image.layout.channels or 1
    _check_channels(processing, description)
    made_up = SampleStatistics(
        {key: np.full(channels, 1 + key.fraction) for key in processing.needs}
    )
    out_channels = description.prediction.layout.channels or channels
    try:
        with np.errstate(all="ignore"):
            numbers = processing.resolve(made_up, channels, out_channels)
    except UnknownStatisticError as error:
        raise DescriptionError(
            f"its preprocessing measures the image after another operation has changed it: {error}",
            _REORDER,
        ) from error
    except ValueError as error:
        raise DescriptionError(f"its processing does not fit: {error}") from error
    ends = (numbers.subtract, numbers.divide, numbers.multiply, numbers.add)
    if not all(np.isfinite(end).all() for end in ends):
        raise DescriptionError("its processing has numbers too large or too small to compute with")


def _check_channels(processing: Processing, description: PackageDescription) -> None:
    """Refuse an output that is to be like an image with other channels, channel by channel."""
    taken, made = description.image.layout.channels, description.prediction.layout.channels
    by_channel = any(not key.pooled for step in processing.after for key in step.needs)
    if by_channel and taken is not None and made is not None and taken != made:
        raise DescriptionError(
            f"its postprocessing matches {made} channels to the image's {taken}, one by one",
            "Ask its author to match all channels together",
        )
