"""Pre- and postprocessing of a package as operations of this package.

Formulas are those of the format's description. What it writes as one operation is two here where
it matters whose numbers are taken: those of the input image are known before the first tile, those
of the network's own answer only when all of it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_tessera.models.bioimageio.axes import Layout
from napari_tessera.models.bioimageio.fields import Field
from napari_tessera.models.bioimageio.operation_axes import (
    Together,
    check_channel_axis,
    check_shared_letters,
    pixels_together,
)
from napari_tessera.models.processing import (
    Affine,
    Binarize,
    Clip,
    ClipOutput,
    EnsureDtype,
    MatchMeanVariance,
    Operation,
    Rescale,
    RescaleOutput,
    Sigmoid,
    Softmax,
    Standardize,
    StandardizeOutput,
)

DTYPES = (
    "float32",
    "float64",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "bool",
)
"""Data types of tensors."""

_WITHOUT = "Choose another model, or a version of it without this operation"

_NEEDS_CODE = {
    "custom": "which is Python code of its own, and code from a package is never run",
    "stardist_postprocessing": "which turns an image into objects, not into an image",
    "cellpose_flow_dynamics": "which turns an image into objects, not into an image",
}


@dataclass(frozen=True)
class _Place:
    """Where an operation stands.

    Parameters
    ----------
    layout : Layout
        Axes of the tensor that it is applied to.
    is_output : bool
        Whether that is what the network returns.
    image : str
        Name of the input tensor.
    is_first : bool
        Whether nothing before it changed the values.
    """

    layout: Layout
    is_output: bool
    image: str
    is_first: bool


@dataclass(frozen=True)
class Chain:
    """Operations in order, and what their statistics are taken over: None where of nothing."""

    operations: tuple[Operation, ...]
    scope: str | None


def read_chain(field: Field, layout: Layout, image: str, *, is_output: bool) -> Chain:
    """Read the operations on one tensor.

    Parameters
    ----------
    field : Field
        Their list.
    layout : Layout
        Axes of the tensor.
    image : str
        Name of the input tensor.
    is_output : bool
        Whether the tensor is the network's output.

    Raises
    ------
    DescriptionError
        If an operation is unknown, its arguments do not fit, or it cannot be done tile by tile.
    """
    found: list[Operation] = []
    scopes: set[str] = set()
    for item in field.items():
        name_field = item["id"] if item["id"] else item.needed("name")
        name = name_field.text()
        if name in _NEEDS_CODE:
            name_field.refuse(_NEEDS_CODE[name], _WITHOUT)
        if name not in _READERS:
            name_field.refuse(f"an unknown operation: known are {', '.join(_READERS)}", _WITHOUT)
        kwargs = item["kwargs"]
        kwargs.mapping()
        place = _Place(layout, is_output, image, all(_keeps_values(op) for op in found))
        operation, together = _READERS[name](kwargs, place)
        found.append(operation)
        if together is not None:
            scopes.add(together.scope)
    return Chain(tuple(found), max(scopes, key=("time_point", "series").index, default=None))


def _keeps_values(operation: Operation) -> bool:
    return isinstance(operation, EnsureDtype) and operation.dtype.startswith("float")


_Read = tuple[Operation, Together | None]


def _scale_linear(kwargs: Field, place: _Place) -> _Read:
    gain = kwargs["gain"].numbers() if kwargs["gain"] else (1.0,)
    offset = kwargs["offset"].numbers() if kwargs["offset"] else (0.0,)
    _check_along(kwargs, place)
    _check_count(kwargs["gain"], gain, place)
    _check_count(kwargs["offset"], offset, place)
    return Affine(gain, offset), None


def _fixed_zero_mean(kwargs: Field, place: _Place) -> _Read:
    mean, std = kwargs.needed("mean"), kwargs.needed("std")
    _check_along(kwargs, place)
    for field in (mean, std):
        _check_count(field, field.numbers(), place)
    eps = _eps(kwargs)
    if min(std.numbers()) + eps <= 0:
        std.refuse("not more than 0")
    return Standardize(mean.numbers(), std.numbers(), eps), None


def _zero_mean(kwargs: Field, place: _Place) -> _Read:
    mode = kwargs["mode"]
    is_fixed = mode and mode.choice(("fixed", "per_dataset", "per_sample")) == "fixed"
    if is_fixed or (not mode and kwargs["mean"]):
        return _fixed_zero_mean(kwargs, place)
    together, eps = pixels_together(kwargs, place.layout), _eps(kwargs)
    if place.is_output:
        return StandardizeOutput(eps, together.pooled), together
    return Standardize(eps=eps, pooled=together.pooled), together


def _scale_range(kwargs: Field, place: _Place) -> _Read:
    low, high = _percentiles(kwargs)
    together, eps = pixels_together(kwargs, place.layout), _eps(kwargs)
    if place.is_output and not _refers_to_image(kwargs, place):
        return RescaleOutput(low, high, eps, together.pooled), together
    if not place.is_output:
        _check_self_reference(kwargs, place)
    return Rescale(None, None, low, high, eps, together.pooled), together


def _scale_mean_variance(kwargs: Field, place: _Place) -> _Read:
    if not place.is_output or not _refers_to_image(kwargs, place):
        kwargs["reference_tensor"].refuse(f"and only {place.image!r} can be matched, by the output")
    together = pixels_together(kwargs, place.layout)
    return MatchMeanVariance(_eps(kwargs), together.pooled), together


def _clip(kwargs: Field, place: _Place) -> _Read:
    ends: list[float | None] = []
    fractions: list[float | None] = []
    for end in ("min", "max"):
        value, percentile = kwargs[end], kwargs[f"{end}_percentile"]
        if value and percentile:
            percentile.refuse(f"and {value.path} is given too")
        # .inf is how some write that there is no limit
        is_open = not value or value.value in (float("inf"), float("-inf"))
        ends.append(None if is_open else value.number())
        fractions.append(percentile.number_in(0, 100) / 100 if percentile else None)
    if ends == [None, None] == fractions and not (kwargs["min"] or kwargs["max"]):
        kwargs.refuse("without min and max")
    for pair in (ends, fractions):
        if pair[0] is not None and pair[1] is not None and pair[0] >= pair[1]:
            kwargs.refuse("and its max is not more than its min")
    if fractions == [None, None]:
        return Clip(ends[0], ends[1]), None
    together = pixels_together(kwargs, place.layout)
    kind = ClipOutput if place.is_output else Clip
    return kind(ends[0], ends[1], fractions[0], fractions[1], together.pooled), together


def _sigmoid(kwargs: Field, place: _Place) -> _Read:
    return Sigmoid(), None


def _softmax(kwargs: Field, place: _Place) -> _Read:
    if kwargs["axis"]:
        check_channel_axis(kwargs["axis"], place.layout)
    return Softmax(), None


def _binarize(kwargs: Field, place: _Place) -> _Read:
    threshold = kwargs.needed("threshold")
    _check_along(kwargs, place)
    _check_count(threshold, threshold.numbers(), place)
    return Binarize(threshold.numbers()), None


def _ensure_dtype(kwargs: Field, place: _Place) -> _Read:
    return EnsureDtype(kwargs.needed("dtype").choice(DTYPES)), None


_READERS: dict[str, Callable[[Field, _Place], _Read]] = {
    "binarize": _binarize,
    "clip": _clip,
    "ensure_dtype": _ensure_dtype,
    "fixed_zero_mean_unit_variance": _fixed_zero_mean,
    "scale_linear": _scale_linear,
    "scale_mean_variance": _scale_mean_variance,
    "scale_range": _scale_range,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "zero_mean_unit_variance": _zero_mean,
}


def _eps(kwargs: Field) -> float:
    return kwargs["eps"].number_in(0, 1) if kwargs["eps"] else 1e-6


def _percentiles(kwargs: Field) -> tuple[float, float]:
    low, high = (
        kwargs[key].number_in(0, 100) if kwargs[key] else usual
        for key, usual in (("min_percentile", 0.0), ("max_percentile", 100.0))
    )
    if low >= high:
        kwargs["min_percentile"].refuse(f"and max_percentile {high:g} is not more")
    return low / 100, high / 100


def _check_along(kwargs: Field, place: _Place) -> None:
    """Numbers may stand along the channels: ``axis`` names them, ``axes`` (0.4) all the others."""
    if kwargs["axis"]:
        check_channel_axis(kwargs["axis"], place.layout)
    else:
        check_shared_letters(kwargs["axes"], place.layout)


def _check_count(field: Field, numbers: tuple[float, ...], place: _Place) -> None:
    channels = place.layout.channels
    if len(numbers) > 1 and channels is not None and len(numbers) != channels:
        field.refuse(f"{len(numbers)} numbers for {channels} channels")


def _refers_to_image(kwargs: Field, place: _Place) -> bool:
    field = kwargs["reference_tensor"]
    if field and field.text() != place.image:
        field.refuse(f"and only the input {place.image!r} can be referred to")
    return bool(field)


def _check_self_reference(kwargs: Field, place: _Place) -> None:
    """The reference is the unprocessed input: the same thing only where nothing came before."""
    if _refers_to_image(kwargs, place) and not place.is_first:
        kwargs["reference_tensor"].refuse(
            "the input as it was before the operations that precede this one: that is not supported"
        )
