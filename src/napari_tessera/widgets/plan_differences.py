"""In what two runs differ, in the words of the dock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.fields.text import sizes_text

_NAMES = {
    "input_shape": "image size",
    "input_axes": "axes",
    "input_dtype": "type of the image",
    "model_name": "model",
    "model_sha256": "model file",
    "patch_size": "tile size",
    "overlaps": "overlap",
    "alignment": "step of the model",
    "blending": "joining tiles",
    "tta": "average over flips",
    "precision": "precision",
    "output_dtype": "type",
    "input_channels": "channels",
    "output_channels": "channels made",
    "fold": "axes done one by one",
    "region_selection": "area",
    "version": "version of the plan",
    "insets": "joining tiles",
    "input_fingerprint": "pixels of the image",
    "normalization": "intensity range",
}
_UNTOLD = ("model_sha256", "region_selection", "input_fingerprint", "normalization", "insets")
"""What people would not know by its value."""

_MEASURED = ("samples", "values", "quantile_error")
"""What of an intensity range the pixels say."""

_MOST = 3


def differences(stored: Mapping[str, Any], plan: PredictionPlan, *, pixels: bool) -> str:
    """What sets a stored run apart from a plan; empty where the one can go on as the other.

    Parameters
    ----------
    stored : mapping
        Plan of the stored run, as `PredictionPlan.to_dict` gives it.
    plan : PredictionPlan
        The plan.
    pixels : bool
        Whether the plan knows the image's pixels; else what was measured on them is left out.

    Returns
    -------
    str
        ``"tile size 64×64 there, 256×256 now; area"``, at most three.
    """
    theirs: Mapping[str, Any] = stored.get("fingerprint_of", {})
    ours = plan.to_dict()["fingerprint_of"]
    told: dict[str, str] = {}
    for name in dict.fromkeys((*_NAMES, *ours)):
        one, other = _known(name, theirs.get(name), pixels), _known(name, ours.get(name), pixels)
        word = _NAMES.get(name, name.replace("_", " "))
        if one == other or word in told or (name == "model_sha256" and "model" in told):
            continue
        valued = name not in _UNTOLD
        told[word] = f"{word} {_short(one)} there, {_short(other)} now" if valued else word
    lines = list(told.values())
    more = [f"{len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return "; ".join((*lines[:_MOST], *more))


def _known(name: str, value: Any, pixels: bool) -> Any:
    """What of a setting is decided before the pixels of the image are looked at."""
    if pixels:
        return value
    if name == "input_fingerprint":
        return None
    if name == "normalization" and isinstance(value, Mapping):
        return {key: part for key, part in value.items() if key not in _MEASURED}
    return value


def _short(value: Any) -> str:
    if value is None:
        return "all"
    if isinstance(value, list) and all(isinstance(size, int) for size in value):
        return sizes_text(value)
    text = str(value)
    return text if len(text) <= 40 else f"{text[:36]} …"
