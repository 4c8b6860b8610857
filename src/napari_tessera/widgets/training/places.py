"""Where trained models go unless people say otherwise, and trainings that were left unfinished."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from itertools import count
from pathlib import Path

import platformdirs

VARIABLE = "NAPARI_TESSERA_MODELS"
"""Environment variable that names another folder for models."""

ENDING = ".safetensors"

_CHECKPOINT = ".training"
"""What `checkpoint_of` puts behind the model's name; asking it would load torch with the dock."""

_MOST = 60
"""Letters of a layer's name that a file name takes over."""


def models_folder() -> Path:
    """Folder of this user for models that were trained here; it need not exist."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return Path(platformdirs.user_data_dir("napari-tessera", appauthor=False), "models")


def default_name(layer: str, method: str) -> str:
    """File name of a model, without ending, after the layer and the method.

    Letters that some file system does not take become underscores.

    Parameters
    ----------
    layer : str
        Name of the layer.
    method : str
        One of `METHODS`.
    """
    safe = re.sub(r"[^\w.-]+", "_", layer).strip("._")[:_MOST]
    return f"{safe or 'image'}_{method}"


def suggested_path(layer: str, method: str, others: Container[Path] = ()) -> Path:
    """Where to save a model of a layer: a file that is not there yet.

    One whose training was left unfinished comes first: that can go on.

    Parameters
    ----------
    layer : str
        Name of the layer.
    method : str
        One of `METHODS`.
    others : container of Path
        Models whose unfinished trainings are on something else: left alone.
    """
    return next(
        path
        for path in _paths(layer, method)
        if path not in others and (unfinished(path) or not path.exists())
    )


def fresh_path(layer: str, method: str) -> Path:
    """Where to save a model of a layer that has nothing to do with earlier ones."""
    return next(path for path in _paths(layer, method) if not (unfinished(path) or path.exists()))


def next_path(path: Path) -> Path:
    """A file beside a model, for the next one: ``cells_2`` after ``cells``."""
    stem = re.sub(r"_\d+$", "", path.stem)
    names = (path.with_name(f"{stem}_{number}{ENDING}") for number in count(2))
    return next(name for name in names if not (unfinished(name) or name.exists()))


def _paths(layer: str, method: str) -> Iterator[Path]:
    """Names for models of a layer, numbered from the second on."""
    folder, name = models_folder(), default_name(layer, method)
    for number in count(1):
        yield folder / f"{name}{'' if number == 1 else f'_{number}'}{ENDING}"


def typed_path(text: str) -> Path | None:
    """Read where to save as typed; None where nothing is. A bare name lies in the models' folder.

    Raises
    ------
    ValueError
        If there cannot be such a file, with the way out.
    """
    typed = text.strip()
    if not typed:
        return None
    if "://" in typed:
        raise ValueError(f"{typed}: a model is saved to a folder of this computer")
    try:
        path = Path(typed).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{typed}: {error}; type the whole path") from None
    if not path.name or typed.endswith(("/", os.sep)):
        raise ValueError(f"{typed} is a folder: add a file name")
    if path.suffix.lower() != ENDING:
        path = path.with_name(f"{path.name}{ENDING}")
    if not path.is_absolute():
        path = models_folder() / path
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise ValueError(f"{typed}: {error.strerror}; choose another name or folder") from None
    if is_folder:
        raise ValueError(f"{path} is a folder: add a file name")
    return path


def unfinished(model_out: Path) -> bool:
    """Whether a training of a model was stopped and can go on."""
    try:
        return model_out.with_name(f"{model_out.name}{_CHECKPOINT}").is_file()
    except OSError:
        # a name that is too long with this, or a folder that nobody may look into
        return False
