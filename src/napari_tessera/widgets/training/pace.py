"""How fast trainings went on this machine, so that the next one can be told how long it takes."""

from __future__ import annotations

import json
from typing import Any

import platformdirs

from napari_tessera.models.kept_files import kept_folder, read_json, write_json
from napari_tessera.models.recent import VARIABLE
from napari_tessera.training.settings import TrainingSettings

MOST = 50
"""Kinds of training that are remembered."""

_TELLING = ("method", "spatial_dims", "patch_size", "batch_size", "depth", "features", "precision")
"""Settings that decide how long a step takes."""


def pace_key(settings: TrainingSettings, channels: int, device: str) -> str:
    """What trainings of one speed have in common, as text.

    Parameters
    ----------
    settings : TrainingSettings
        As they are in the dock: what is left open is so in both.
    channels : int
        Channels of the image.
    device : str
        As it was asked for.
    """
    values = settings.to_json()
    return json.dumps([*(values[name] for name in _TELLING), channels, device])


class PaceBook:
    """Seconds of a step, by what decides them; remembered from one session to the next."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def read(self) -> PaceBook:
        """Take in what earlier sessions measured; gives itself."""
        path = _file()
        known: Any = None if path is None else read_json(path)
        if isinstance(known, dict):
            self._seconds = {
                str(key): float(value)
                for key, value in known.items()
                if isinstance(value, (int, float)) and 0 < value < 1e6
            }
        return self

    def note(self, key: str, seconds: float) -> None:
        """Keep the seconds of a step, here and on disk."""
        if seconds <= 0:
            return
        others = {k: v for k, v in self._seconds.items() if k != key}
        self._seconds = dict([*others.items(), (key, seconds)][-MOST:])
        path = _file()
        if path is not None:
            write_json(path, self._seconds)

    def seconds(self, key: str, steps: int) -> float | None:
        """How long so many steps take; None where nothing like it was measured."""
        each = self._seconds.get(key)
        return None if each is None else each * steps


def _file() -> Any:
    folder = kept_folder(VARIABLE, platformdirs.user_state_dir("napari-tessera", appauthor=False))
    return None if folder is None else folder / "training_pace.json"
