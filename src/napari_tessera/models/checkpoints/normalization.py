"""What CAREamics does to grey levels, read from its settings of the data.

Formulas (facts of CAREamics 0.3.5): mean and deviation ``(x − mean) / (std + 1e-6)`` and back
``y · (std + 1e-6) + mean``; ranges ``(x − low) / (high − low + 1e-8)`` and back
``y · (high − low) + low``. Back means to the target's statistics where there are any, else to the
input's; CAREamics before 0.3 always took the input's, although it trained with the target's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from napari_tessera.models.architectures import ArchitectureError, UNetSettings, shown
from napari_tessera.models.processing import (
    Affine,
    Inverse,
    Operation,
    Processing,
    Rescale,
    Standardize,
    Undo,
)

Numbers = tuple[float, ...]

_MEASURED = "it does not hold the statistics that it was trained with: those of the image are used"
_UNKNOWN = (
    "it does not say how grey levels are normalized: mean 0 and deviation 1 of the image are used"
)
_NAMES = {
    "mean_std": ("means", "stds"),
    "min_max": ("mins", "maxes"),
    "quantile": ("lower_quantile_values", "upper_quantile_values"),
}


def read_normalization(
    data: Mapping[str, object], settings: UNetSettings
) -> tuple[Processing | None, tuple[str, ...]]:
    """Read what is done to grey levels.

    Parameters
    ----------
    data : mapping
        Settings of the data, in either layout.
    settings : UNetSettings
        The network, for its channels.

    Returns
    -------
    processing : Processing or None
        None where nothing is said.
    warnings : tuple of str
        What had to be assumed.

    Raises
    ------
    ArchitectureError
        If numbers are none, or are not as many as the channels.
    """
    found = _in_either_layout(data)
    if found is None:
        return None, (_UNKNOWN,)
    name = found.get("name")
    if name == "none":
        return Processing(), ()
    if not isinstance(name, str) or name not in _NAMES:
        raise ArchitectureError(
            f"its normalization {shown(name)} is none of {', '.join(_NAMES)} and none"
        )
    low, high = _NAMES[name]
    own = _pair(found, f"input_{low}", f"input_{high}", settings.in_channels)
    pooled = found.get("per_channel", True) is False
    forward = _operation(name, own, pooled, found)
    if found.get("skip_target", False) is True:
        back: tuple[Operation, ...] = ()
    else:
        target = _pair(found, f"target_{low}", f"target_{high}", settings.out_channels)
        if own is not None and target is None:
            _check_length(own[0], settings.out_channels, f"input_{low}", "output")
        back = (
            _inverse(
                forward, forward if target is None else _operation(name, target, pooled, found)
            ),
        )
    return Processing((forward,), back), () if own is not None else (_MEASURED,)


def _in_either_layout(data: Mapping[str, object]) -> Mapping[str, object] | None:
    new = data.get("normalization")
    if isinstance(new, Mapping):
        return new
    if "image_means" not in data:
        return None
    names = {"image_means": "input_means", "image_stds": "input_stds"}
    kept = {names.get(key, key): value for key, value in data.items()}
    return {"name": "mean_std", **{key: kept.get(key) for key in _OLD}}


_OLD = ("input_means", "input_stds", "target_means", "target_stds")


def _operation(
    name: str, own: tuple[Numbers, Numbers] | None, pooled: bool, found: Mapping[str, object]
) -> Standardize | Rescale:
    low, high = (None, None) if own is None else own
    if name == "mean_std":
        return Standardize(low, high, pooled=pooled)
    if name == "min_max":
        return Rescale(low, high, pooled=pooled)
    least = _fraction(found, "lower_quantiles", 0.01)
    most = _fraction(found, "upper_quantiles", 0.99)
    if not least < most:
        raise ArchitectureError(f"its quantiles {least} and {most} are in the wrong order")
    return Rescale(low, high, least, most, pooled=pooled)


def _inverse(forward: Standardize | Rescale, undone: Standardize | Rescale) -> Operation:
    if not isinstance(undone, Rescale) or undone.low is None or undone.high is None:
        return Undo(undone)
    gain = tuple(high - low for low, high in zip(undone.low, undone.high, strict=True))
    # of ranges CAREamics adds eps on the way in and not on the way back
    exact = Affine(gain, undone.low)
    return Inverse(exact, forward) if undone == forward else exact


def _fraction(found: Mapping[str, object], key: str, default: float) -> float:
    values = _numbers(found.get(key), key) or (default,)
    # they matter only where the image is measured, and that is one pair for all channels
    if not 0 <= values[0] <= 1:
        raise ArchitectureError(f"its {key} {values[0]} is outside 0…1")
    return values[0]


def _pair(
    found: Mapping[str, object], low: str, high: str, channels: int
) -> tuple[Numbers, Numbers] | None:
    """Two statistics, one number for each channel or one for all; None where they are not there."""
    first, second = _numbers(found.get(low), low), _numbers(found.get(high), high)
    if first is None and second is None:
        return None
    if first is None or second is None or len(first) != len(second):
        raise ArchitectureError(f"its {low} and {high} do not go together")
    _check_length(first, channels, low, "output" if low.startswith("target") else "input")
    for one, other in zip(first, second, strict=True):
        if high.endswith("stds"):
            if other < 0:
                raise ArchitectureError(f"its {high} {other} is below 0")
        elif not one < other:
            raise ArchitectureError(f"its {low} {one} is not below its {high} {other}")
    return first, second


def _check_length(numbers: Numbers, channels: int, name: str, which: str) -> None:
    if len(numbers) not in (1, channels):
        raise ArchitectureError(
            f"its {len(numbers)} {name} do not go with {channels} {which} channel(s)"
        )


def _numbers(value: object, name: str) -> Numbers | None:
    """Numbers, or text that says numbers, or one of these; None where there are none."""
    if value is None or (isinstance(value, list | tuple) and not value):
        return None
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(_number(item, name) for item in items)


def _number(item: object, name: str) -> float:
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        raise ArchitectureError(f"its {name} hold {shown(item)}, which is no number")
    try:
        number = float(item)
    except (ValueError, OverflowError):
        raise ArchitectureError(f"its {name} hold {shown(item)}, which is no number") from None
    if not math.isfinite(number):
        raise ArchitectureError(f"its {name} hold {number}, which is not finite")
    return number
