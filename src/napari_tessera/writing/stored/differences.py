"""Why a stored run is not the one that shall go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from napari_tessera.writing.run_info import RunInfo

_WORDS = {
    "model_name": "the model",
    "model_sha256": "the model's weights",
    "input_fingerprint": "the image's pixels",
    "input_axes": "the image's axes",
    "input_shape": "the image's shape",
    "input_dtype": "the image's data type",
    "region_selection": "the area",
    "inside": "the shapes or the mask",
    "input_channels": "the channels",
    "hot_pixels": "the hot pixels",
    "camera_offset": "the camera's offset",
    "camera_gain": "the camera's gain",
    "patch_size": "patch size",
    "version": "the version of plans",
}
"""What settings of a plan are called that no person sets by that name, most telling first."""

MEASURED = (
    "normalization.samples",
    "normalization.values",
    "normalization.quantile_error",
    "hot_pixels.ordinary",
)
"""What was measured on the image, and differs where the image does."""

_WITH_VERSIONS = ("inside", "hot_pixels", "camera_")
"""What a plan may have that gives it a version of its own."""

_MOST_NAMED = 3
_HASH_LENGTH = 64
_NOTHING = "nothing"


def check_same_run(stored: Mapping[str, Any], run: RunInfo, where: object) -> None:
    """Raise ValueError saying what differs unless a stored run has this one's fingerprint.

    A file of the image that is where it was must be what it was too: the fingerprint knows few of
    its pixels. One that was moved is taken by the fingerprint alone.

    Parameters
    ----------
    stored : mapping
        What the store says of its run (see `run_attributes`).
    run : RunInfo
        The run that is to go on.
    where : path-like or str
        What the store is called.
    """
    # first: statistics that differ follow from it
    _check_same_files(stored, run, where)
    if stored.get("fingerprint") == run.fingerprint:
        return
    differing = differences(stored.get("plan", {}), run.plan)
    if run.plan and not differing:
        # one that decides no other pixels has no other fingerprint
        raise ValueError(
            f"{where} cannot be resumed: what it says of its run was changed since; put that back "
            "as it was, or overwrite it"
        )
    what = ", ".join(differing[:_MOST_NAMED])
    if differing[_MOST_NAMED:]:
        what += f" and {len(differing) - _MOST_NAMED} more"
    raise ValueError(
        f"{where} cannot be resumed, it is of another run: {what or 'the image or the model'} "
        f"{'differ' if len(differing) > 1 else 'differs'}; resume with the same settings, or "
        "overwrite it"
    )


def _check_same_files(stored: Mapping[str, Any], run: RunInfo, where: object) -> None:
    known = stored.get("input")
    files = known.get("files") if isinstance(known, Mapping) else None
    if not isinstance(files, Mapping):
        return
    for path, facts in run.input_files.items():
        before = files.get(path)
        if before is not None and before != list(facts):
            raise ValueError(
                f"{where} cannot be resumed: {path} was changed after the run began; put the file "
                "back as it was, with its time of change, or overwrite the result"
            )


def differences(there: Any, now: Any) -> list[str]:
    """Settings in which two plans differ: ``"patch size (24,24 there, 32,32 now)"``.

    Parameters
    ----------
    there, now : mapping
        The stored plan and the one that is to be run.

    Returns
    -------
    list of str
        Model and image first. Statistics of the image are left out where its pixels differ, as
        they follow from these.
    """
    return [
        f"{_word(name)} ({_short(theirs)} there, {_short(ours)} now)"
        for name, (theirs, ours) in differing(there, now).items()
    ]


def differing(there: Any, now: Any) -> dict[str, tuple[Any, Any]]:
    """Settings in which two plans differ, by name, with the value in each of them.

    A setting within another one is named by both: ``"normalization.kind"``. One that a plan has
    not has the value ``"nothing"``.
    """
    theirs, ours = _leaves(there), _leaves(now)
    names = [
        name
        for name in dict.fromkeys([*_WORDS, *ours, *theirs])
        if theirs.get(name, _NOTHING) != ours.get(name, _NOTHING)
    ]
    if any(name.startswith("input_") for name in names):
        names = [name for name in names if name not in MEASURED]
    if "version" in names and any(name.startswith(_WITH_VERSIONS) for name in names):
        # plans with and without them have different ones
        names.remove("version")
    if "hot_pixels.what" in names and "hot_pixels.ordinary" in names:
        # where they are kept nothing is known of them
        names.remove("hot_pixels.ordinary")
    if "model_name" in names:
        # a model that was renamed is the same one
        names.remove("model_sha256" if "model_sha256" in names else "model_name")
    return {name: (theirs.get(name, _NOTHING), ours.get(name, _NOTHING)) for name in names}


def _word(name: str) -> str:
    first, _, rest = name.partition(".")
    return f"{_WORDS.get(first, first)}{'.' if rest else ''}{rest}"


def _leaves(plan: Any, name: str = "") -> dict[str, Any]:
    """Settings by name; the run settings, which decide no pixels, are left out."""
    if not isinstance(plan, Mapping):
        return {name: list(plan) if isinstance(plan, tuple) else plan}
    found: dict[str, Any] = {}
    for key, value in plan.items():
        if not name and key == "settings":
            continue
        if key == "inside":
            found[key] = value
            continue
        part = "" if key == "fingerprint_of" else str(key)
        found.update(_leaves(value, f"{name}.{part}" if name and part else name or part))
    return found


def _short(value: Any) -> str:
    if isinstance(value, str) and len(value) == _HASH_LENGTH:
        return f"{value[:8]}…"
    if isinstance(value, Mapping) and isinstance(value.get("runs"), list):
        kept, all_ = sum(value["runs"][1::2]), sum(value["runs"])
        return f"{kept} of {all_} tiles along {value.get('axes')}"
    if isinstance(value, list) and value and all(type(each) is int for each in value):
        # as it is typed
        value = ",".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:36]} ..."
