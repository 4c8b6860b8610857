"""In what two runs differ, in the words of the dock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_tessera.prediction import PlanError, PredictionPlan
from napari_tessera.widgets.fields.text import sizes_text
from napari_tessera.widgets.stored_part import (
    channels_of,
    is_all_but_channels,
    part_differences,
)
from napari_tessera.writing.stored.differences import MEASURED, differing
from napari_tessera.writing.stored.stored_run import StoredRun

_NAMES = {
    "input_shape": "image size",
    "input_axes": "axes",
    "input_dtype": "type of the image",
    "model_name": "model",
    "model_sha256": "model file",
    "region_selection": "area",
    "input_channels": "channels",
    "patch_size": "tile size",
    "overlaps": "overlap",
    "alignment": "step of the model",
    "blending": "joining tiles",
    "tta": "average over flips",
    "hot_pixels": "hot pixels",
    "camera_offset": "camera offset",
    "camera_gain": "camera gain",
    "precision": "precision",
    "output_dtype": "type",
    "output_channels": "channels made",
    "fold": "axes done one by one",
    "inside": "shapes or mask",
    "version": "version of the plan",
    "insets": "joining tiles",
    "input_fingerprint": "pixels of the image",
    "normalization": "intensity range",
}
_UNTOLD = (
    "model_sha256",
    "inside",
    "input_fingerprint",
    "normalization",
    "insets",
    "hot_pixels",
)
"""What people would not know by its value."""

_LEFT_OUT = {"camera_offset": "0", "camera_gain": "1"}
"""What a setting is that a plan does not name; of the others it is all of the image."""

_PART = ("region_selection", "input_channels")
_AREA = (*_PART, "output_channels", "inside")

_ADOPTED = frozenset(
    {
        "patch_size",
        "overlaps",
        "insets",
        "blending",
        "tta",
        "hot_pixels",
        "camera_offset",
        "camera_gain",
        "precision",
        "output_dtype",
        "normalization",
    }
)
"""What the dock's fields can be set to, and what follows from it."""

_MOST = 3
_MOST_LETTERS = 75
"""Room for differences in a message of three lines, in the dock's usual width."""


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
        ``"tile size 64×64 there, 256×256 now; area"``, three at most and as many as go into a
        short message.
    """
    told: dict[str, str] = {}
    order = [*_NAMES]
    found = sorted(
        _differing(stored, plan, pixels=pixels).items(),
        key=lambda item: order.index(name) if (name := item[0].partition(".")[0]) in order else 99,
    )
    for name, (theirs, ours) in found:
        setting = name.partition(".")[0]
        if setting in _PART:
            told.update(part_differences(_deciding(stored), plan.to_dict()["fingerprint_of"]))
            continue
        word = _NAMES.get(setting, setting.replace("_", " "))
        valued = setting == name and setting not in _UNTOLD
        told.setdefault(
            word,
            f"{word} {_short(name, theirs)} there, {_short(name, ours)} now" if valued else word,
        )
    lines = list(told.values())
    shown = lines[:1]
    for line in lines[1:_MOST]:
        if len("; ".join((*shown, line))) > _MOST_LETTERS:
            break
        shown.append(line)
    more = [f"{len(lines) - len(shown)} more"] if len(lines) > len(shown) else []
    return "; ".join((*shown, *more))


def can_be_adopted(stored: Mapping[str, Any], plan: PredictionPlan) -> bool:
    """Whether the dock's fields can be set so that a stored run can go on.

    Parameters
    ----------
    stored : mapping
        Plan of the stored run.
    plan : PredictionPlan
        Plan of the settings as they are, made without the image's pixels.
    """
    names = {name.partition(".")[0] for name in _differing(stored, plan, pixels=False)}
    return names <= _ADOPTED | (set(_AREA) if _can_be_chosen(_deciding(stored)) else set())


def _can_be_chosen(deciding: Mapping[str, Any]) -> bool:
    """Whether the dock can be set to a run's part: all of an image, or some channels of it.

    Another area may be a part that somebody looked at, or drew.
    """
    if not is_all_but_channels(deciding):
        return False
    channels, axes = channels_of(deciding), str(deciding.get("input_axes", ""))
    if channels is None:
        return True
    # by their numbers they are chosen in ascending order, and all of them are no choice
    there = deciding["input_shape"][axes.index("C")] if "C" in axes else 1
    return 0 < len(channels) < there and list(channels) == sorted(set(channels))


def _deciding(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    deciding = stored.get("fingerprint_of")
    return deciding if isinstance(deciding, Mapping) else {}


def _differing(
    stored: Mapping[str, Any], plan: PredictionPlan, *, pixels: bool
) -> dict[str, tuple[Any, Any]]:
    found = differing(stored, plan.to_dict())
    if pixels:
        return found
    # of these nothing is known before the pixels of the image are looked at
    unknown = ("input_fingerprint", *MEASURED)
    return {name: values for name, values in found.items() if not name.startswith(unknown)}


def _short(name: str, value: Any) -> str:
    if value in (None, "nothing"):
        return _LEFT_OUT.get(name, "all")
    if isinstance(value, list) and all(isinstance(size, int) for size in value):
        return sizes_text(value)
    text = str(value)
    return text if len(text) <= 24 else f"{text[:22]} …"


def other_run(stored: StoredRun, plan: PredictionPlan) -> PlanError:
    """What to say where a file was written with other settings."""
    what = differences(stored.plan, plan, pixels=True) or "the model"
    return PlanError(f"what exists there is of another run ({what}): rename, or Overwrite", "save")
