"""The model files that were used last, remembered from one session of napari to the next."""

from __future__ import annotations

import json
import os

from qtpy.QtCore import QSettings

_KEPT = 8
_KEY = "recent_models"


def recent_models() -> list[str]:
    """Paths of the models used last, newest first."""
    settings = _settings()
    text = settings.value(_KEY, "[]") if settings else "[]"
    try:
        found = json.loads(str(text))
    except ValueError:
        return []
    return [str(path) for path in found] if isinstance(found, list) else []


def remember_model(path: str) -> list[str]:
    """Put a model first among those remembered, and give them all."""
    kept = [path, *(known for known in recent_models() if known != path)][:_KEPT]
    settings = _settings()
    if settings is not None:
        settings.setValue(_KEY, json.dumps(kept))
    return kept


def _settings() -> QSettings | None:
    """Settings file of the plugin; None where napari is told to keep no settings either."""
    if os.environ.get("NAPARI_CONFIG") == "":
        return None
    return QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-tessera", "dock"
    )
