"""Settings in a file: a plan as JSON, and beside it what only the dock knows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from napari_tessera.models.kept_files import write_json
from napari_tessera.models.recent import is_there
from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.cluster.scheduler_look import SchedulerError, checked_address
from napari_tessera.widgets.request import AREAS, TILE

if TYPE_CHECKING:
    from napari_tessera.widgets.request import RunRequest

ENDING = ".json"
MOST_TOLD = 300
"""Characters of what is wrong with a file: its own values may be in there."""

MOST_BYTES = 20_000_000
"""A plan of 100,000 time points takes half of it."""

MOST_SAMPLES = 1_000_000
"""Time points and other samples: reading a plan lists them all."""

BUILTIN = "builtin:"
_OWN_KEY = "dock"


@dataclass(frozen=True)
class StoredSettings:
    """Settings that were read from a file.

    Parameters
    ----------
    name : str
        Name of the file.
    plan : mapping
        The plan, as `PredictionPlan.to_dict` gives it; it can be read as one.
    model : str
        Path of the model's file, or the name of a built-in one; empty where the file does not say.
    channel_models : tuple of (int, str)
        Models of single channels.
    area : str
        Area chosen in the dock; empty where the file does not say.
    cluster : str
        Address of a Dask scheduler; empty for this computer, or where the file does not say.
    """

    name: str
    plan: Mapping[str, Any]
    model: str = ""
    channel_models: tuple[tuple[int, str], ...] = ()
    area: str = ""
    cluster: str = ""


@dataclass(frozen=True)
class FoundModels:
    """Models of stored settings, as they are on this machine.

    Parameters
    ----------
    model : str
        What to choose; empty: nothing.
    channel_models : tuple of (int, str)
        What to choose for channels; empty: nothing.
    lines : tuple of str
        What people should know of it.
    """

    model: str = ""
    channel_models: tuple[tuple[int, str], ...] = ()
    lines: tuple[str, ...] = field(default=())


def write_settings(
    path: Path, plan: PredictionPlan, request: RunRequest, cluster: str = ""
) -> Path:
    """Write settings; the file is a plan that the command line takes as well.

    Parameters
    ----------
    path : Path
        File to write or replace; ``.json`` is added where it has another ending.
    plan : PredictionPlan
        What the settings come to.
    request : RunRequest
        The settings.
    cluster : str
        Address of the scheduler that is chosen; empty for this computer.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If it cannot be written.
    """
    if path.suffix.lower() != ENDING:
        path = path.with_name(f"{path.name}{ENDING}")
    own: dict[str, Any] = {"area": request.area}
    if isinstance(request.model, str | Path):
        own["model"] = str(request.model)
    models = {str(channel): str(model) for channel, model in request.channel_models}
    if models:
        own["channel_models"] = models
    if cluster:
        own["cluster"] = cluster
    if not write_json(path, {**plan.to_dict(), _OWN_KEY: own}):
        raise ValueError(f"{path.name} cannot be written to {path.parent}: choose another folder")
    return path


def read_settings(path: Path) -> StoredSettings:
    """Read settings from a file that may come from anywhere.

    Raises
    ------
    ValueError
        If the file is no plan, is too large for one, or cannot be read.
    """
    text = _text(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{path.name} holds no settings: it is no JSON") from None
    deciding = data.get("fingerprint_of") if isinstance(data, dict) else None
    if not isinstance(deciding, dict):
        raise ValueError(
            f"{path.name} holds no settings: choose a file that Save settings, or a run's plan, "
            "is in"
        )
    _check_size(path.name, deciding)
    try:
        PredictionPlan.from_json(text)
    except (ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ValueError(f"{path.name}: {str(error)[:MOST_TOLD] or type(error).__name__}") from None
    own = data.get(_OWN_KEY)
    own = own if isinstance(own, dict) else {}
    model, area, channels = own.get("model"), own.get("area"), own.get("channel_models")
    return StoredSettings(
        path.name,
        {key: data[key] for key in ("fingerprint_of", "settings", "model_name")},
        model if isinstance(model, str) else "",
        _channel_models(channels),
        str(area) if area in AREAS and area != TILE else "",
        _cluster(own.get("cluster")),
    )


def find_models(stored: StoredSettings, known: Sequence[str]) -> FoundModels:
    """Look where the models of stored settings are on this machine. Takes time: not for the GUI.

    Parameters
    ----------
    stored : StoredSettings
        The settings.
    known : sequence of str
        Model files that were used here.
    """
    lines: list[str] = []
    if stored.channel_models:
        found = [(c, _found(model, known, lines)) for c, model in stored.channel_models]
        return FoundModels("", tuple((c, m) for c, m in found if m), tuple(dict.fromkeys(lines)))
    named = stored.model or str(stored.plan.get("model_name", ""))
    return FoundModels(_found(named, known, lines), (), tuple(lines))


def _found(model: str, known: Sequence[str], lines: list[str]) -> str:
    """What to choose for a model, empty where there is nothing; says what is to be known."""
    from napari_tessera.models import BUILTIN_NAMES

    if model.startswith(BUILTIN):
        if model.removeprefix(BUILTIN) in BUILTIN_NAMES:
            return model
        lines.append(f"there is no built-in model {_short(model)}: choose a model")
        return ""
    name = PurePath(model.replace("\\", "/")).name
    is_path = name != model
    # A file from somebody else is not to have this machine ask others for files, and log in there.
    elsewhere = model.startswith(("\\\\", "//")) or "://" in model
    if is_path and not elsewhere and Path(model).is_absolute() and is_there(model):
        return model
    same = [path for path in known if PurePath(path).name == name and is_there(path)]
    if same:
        if is_path and same[0] != model:
            lines.append(f"the model {_short(name)} is taken from {same[0]}")
        return same[0]
    why = "is on another machine" if elsewhere else "is not there"
    lines.append(f"the model {_short(model)} {why}: choose it, or another one")
    return ""


def _text(path: Path) -> str:
    """Content of a file that is neither a device nor too large, however it is named."""
    try:
        # A pipe would be waited for, a device never ends.
        if path.exists() and not path.is_file():
            raise ValueError(f"{path.name} holds no settings: it is no file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror or error}") from None
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"{path.name} holds no settings: it is larger than {MOST_BYTES // 1_000_000} MB"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} holds no settings: it is no text") from None


def _check_size(name: str, deciding: Mapping[str, Any]) -> None:
    """Raise ValueError where reading a plan would list more samples than any image has."""
    axes, shape = deciding.get("input_axes"), deciding.get("input_shape")
    if not isinstance(axes, str) or not isinstance(shape, list) or len(axes) != len(shape):
        raise ValueError(f"{name} holds no settings: axes and shape of the image do not fit")
    if not all(isinstance(size, int) and 0 < size < 2**63 for size in shape):
        raise ValueError(f"{name} holds no settings: the shape of the image is none")
    sizes = dict(zip(axes, shape, strict=True))
    samples = prod(sizes.get(letter, 1) for letter in "ST")
    if samples > MOST_SAMPLES or sizes.get("C", 1) > MOST_SAMPLES:
        raise ValueError(f"{name} holds no settings that can be: {samples:,} samples of an image")


def _cluster(value: object) -> str:
    """An address that could be one; it is not asked whether anybody is there."""
    try:
        return checked_address(value) if isinstance(value, str) else ""
    except SchedulerError:
        return ""


def _channel_models(value: object) -> tuple[tuple[int, str], ...]:
    if not isinstance(value, dict):
        return ()
    pairs = [
        (int(channel), model)
        for channel, model in value.items()
        if channel.isascii() and channel.isdigit() and len(channel) < 4 and isinstance(model, str)
    ]
    return tuple(sorted(pairs))


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"…{text[-79:]}"
