"""How a model was trained, in words; what to cite for it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from napari_tessera.models.about import Citation
from napari_tessera.models.errors import plain_line

METHOD_NAMES = {"n2v": "Noise2Void", "n2v2": "N2V2", "supervised": "supervised"}
"""What people call the methods of training."""

_STOPPED = {"early": "stopped early", "cancelled": "stopped by hand"}
_LONGEST = 400
_PLACE = re.compile(r"[/~\\]|[A-Za-z]:[\\/]|[A-Za-z0-9+.-]+://")
"""How paths and addresses begin."""


def method_name(training: Mapping[str, Any]) -> str:
    """What people call the method: ``"Noise2Void"``; ``"trained"`` where it is not known."""
    method = _method(training)
    name = METHOD_NAMES.get(method, plain_line(method, 40) or "trained")
    return f"struct{name}" if name == "Noise2Void" and _is_structured(training) else name


def training_line(training: Mapping[str, Any]) -> str | None:
    """Say in one line how a model was trained; None where nothing is known.

    Parameters
    ----------
    training : mapping
        As the file has it: a stranger may have written it. Read are ``method``, ``settings``
        (``batch_size``, ``patch_size``, ``seed``), ``steps`` (done), ``seconds``, ``losses`` (step,
        training and validation loss), ``stopped``, ``data`` (``source``, ``target``), ``seed`` and
        ``software``.
    """
    settings, data = _mapping(training.get("settings")), _mapping(training.get("data"))
    parts = [method_name(training)] if _method(training) else []
    parts.append(_amount(training, settings))
    parts.append(_time(training.get("seconds")))
    parts.append(_STOPPED.get(_text(training.get("stopped")), ""))
    source = _file(data.get("source"))
    target = _file(data.get("target"))
    parts.append(f"on {source}{f' towards {target}' if target else ''}" if source else "")
    parts.append(_loss(training.get("losses")))
    seed = _count(training.get("seed", settings.get("seed")), least=0)
    parts.append("" if seed is None else f"seed {seed}")
    parts.append(plain_line(_text(training.get("software")), 60))
    return plain_line(", ".join(part for part in parts if part), _LONGEST) or None


def without_places(value: Any) -> Any:
    """A training's description for others: of paths only the last part, which names the image.

    Parameters
    ----------
    value : any
        Plain values, as JSON has them.
    """
    if isinstance(value, Mapping):
        return {key: without_places(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(item) for item in value]
    return _file(value) if isinstance(value, str) and _PLACE.match(value) else value


def citations_of(training: Mapping[str, Any], n2v2: bool) -> tuple[Citation, ...]:
    """Whom to cite for the method of a training, and for the network's layers."""
    # that room loads files of this one
    from napari_tessera.models.checkpoints.algorithms import citations

    method = _method(training)
    if method == "supervised":
        return citations("care", False, {})
    if method not in ("n2v", "n2v2"):
        return ()
    mask = {"struct_mask_axis": "x" if _is_structured(training) else "none"}
    return citations("n2v", n2v2 or method == "n2v2", {"n2v_config": mask})


def _method(training: Mapping[str, Any]) -> str:
    settings = _mapping(training.get("settings"))
    return _text(training.get("method")) or _text(settings.get("method"))


def _is_structured(training: Mapping[str, Any]) -> bool:
    return _mapping(training.get("settings")).get("struct_axis") in ("x", "y")


def _amount(training: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """``"4,000 steps of 16 patches of 64 × 64 px"``, as far as it is known."""
    steps = _count(training.get("steps", training.get("step")))
    if steps is None:
        return ""
    text = f"{steps:,} step{'s' if steps != 1 else ''}"
    batch = _count(settings.get("batch_size"))
    patch = settings.get("patch_size")
    if batch is None or not isinstance(patch, list) or len(patch) not in (2, 3):
        return text
    sizes = [_count(size) for size in patch]
    if None in sizes:
        return text
    return f"{text} of {batch} patches of {' × '.join(map(str, sizes))} px"


def _time(found: object) -> str:
    seconds = _number(found)
    if seconds is None or seconds < 0:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"in {hours:,} h {minutes} min"
    return f"in {minutes} min {rest} s" if minutes else f"in {rest} s"


def _loss(found: object) -> str:
    """The last losses: ``"loss 0.412 (validation 0.398)"``."""
    last = found[-1] if isinstance(found, list) and found else None
    if not isinstance(last, list) or len(last) != 3:
        return ""
    train, validation = _number(last[1]), None
    for entry in reversed(found if isinstance(found, list) else []):
        if isinstance(entry, list) and len(entry) == 3 and entry[2] is not None:
            validation = _number(entry[2])
            break
    if train is None:
        return ""
    return f"loss {train:.3g}" + ("" if validation is None else f" (validation {validation:.3g})")


def _file(found: object) -> str:
    """The last part of a path or URL: where it lay says more of the person than of the model."""
    text = plain_line(_text(found), 2000).rstrip("/\\")
    return text.replace("\\", "/").rpartition("/")[2][:120]


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _count(found: object, least: int = 1) -> int | None:
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if least <= found < 10**15 else None


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        number = float(found)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e15 else None
