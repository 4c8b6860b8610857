"""What is done to grey levels, in words."""

from __future__ import annotations

from napari_tessera.models.processing import (
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

_OVER = {"time_point": "each time point", "series": "the whole series"}
_OWN = "by the model's numbers"


def normalization_text(processing: Processing | None, default: str) -> str:
    """Say what a model does to grey levels unless told otherwise.

    Parameters
    ----------
    processing : Processing or None
        What its file says.
    default : str
        What is done where that is None: ``"time_point"``, ``"series"`` or ``"none"``.

    Returns
    -------
    str
        One line: ``"(x − mean) / std by the model's numbers; after the network: clip"``.
    """
    if processing is None:
        if default not in _OVER:
            return "none"
        return f"(x − mean) / std of {_OVER[default]}; undone after the network"
    of_image = f"of {_OVER[processing.scope]}"
    before = [_words(step, of_image) for step in processing.before]
    after = [_words(step, of_image) for step in processing.after]
    parts = [", ".join(before), f"after the network: {', '.join(after)}" if after else ""]
    return "; ".join(part for part in parts if part) or "none"


def _words(step: Operation, of_image: str) -> str:
    match step:
        case Affine():
            return f"x · {row_of(step.gain)} + {row_of(step.offset)}"
        case Standardize():
            return f"(x − mean) / std {of_image if step.needs else _OWN}"
        case Rescale():
            ends = _quantiles(step.low_fraction, step.high_fraction)
            by_type = "8-bit images divided by 255, of others " if step.by_type else ""
            return f"{by_type}{ends} {of_image if step.needs else _OWN} to 0…1"
        case Undo() | Inverse():
            return "back to grey levels"
        case Clip() | ClipOutput() if (
            step.low_fraction is not None or step.high_fraction is not None
        ):
            ends = _quantiles(step.low_fraction or 0.0, step.high_fraction or 1.0)
            return f"cut off beyond {ends}"
        case Clip() | ClipOutput():
            below = [f"below {step.low:g}"] if step.low is not None else []
            above = [f"above {step.high:g}"] if step.high is not None else []
            return f"cut off {' and '.join([*below, *above])}"
        case Softmax():
            return "softmax"
        case Sigmoid():
            return "sigmoid"
        case Binarize():
            return f"1 above {row_of(step.threshold)}, else 0"
        case EnsureDtype():
            return f"as {step.dtype}"
        case StandardizeOutput():
            return "(y − mean) / std of the whole output"
        case RescaleOutput():
            ends = _quantiles(step.low_fraction, step.high_fraction)
            return f"{ends} of the whole output to 0…1"
        case MatchMeanVariance():
            return "mean and std of the input"
        case _:
            return type(step).__name__


def _quantiles(low: float, high: float) -> str:
    return f"quantiles {100 * low:g} % to {100 * high:g} %"


def row_of(numbers: tuple[float, ...]) -> str:
    """Numbers of channels or axes: ``"3 | 3.5 | 3"``; where all are the same once: ``"3"``."""
    shown = numbers[:1] if len(set(numbers)) == 1 else numbers
    return " | ".join(f"{number:.6g}" for number in shown)
