"""Where a trained model goes, and what is beside it while it is trained."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from napari_tessera.training.errors import TrainingError
from napari_tessera.whole_files import check_place, partial_of

SUFFIX = ".safetensors"

_TIMES = 6
"""Weights in a state (themselves, their average, the best ones, two moments) and in the model."""


def checkpoint_of(model_out: str | os.PathLike[str]) -> Path:
    """Where the state of a training is kept while it goes on: beside the model it makes."""
    path = Path(model_out)
    return path.with_name(f"{path.name}.training")


def check_room(model_out: Path, weights: int) -> None:
    """Say that a disk is full before hours of work are done that nothing can be kept of.

    Parameters
    ----------
    model_out : Path
        The model's file.
    weights : int
        Bytes of the network's weights.

    Raises
    ------
    OSError
        If there is too little room for a model and the state of its training.
    """
    free, needed = shutil.disk_usage(model_out.parent).free, _TIMES * weights
    if free < needed:
        raise OSError(
            f"there are {free / 1e6:.1f} MB free in {model_out.parent}, and the model with the "
            f"state of its training takes {needed / 1e6:.1f} MB: make room, or choose another "
            "folder",
        )


def check_model_out(
    model_out: str | os.PathLike[str], *, resume: bool = False, overwrite: bool = False
) -> None:
    """Say why a model could not be written at the end, before hours of work are done for it.

    Parameters
    ----------
    model_out : str or path
        The model's file.
    resume : bool
        Whether a training that has left its state there is gone on with. What it began with, or
        was stopped to be used, it may replace: the state is there because that was allowed.
    overwrite : bool
        Whether a model, and without `resume` the state of a training, may be replaced.

    Raises
    ------
    TrainingError
        Of field ``"model_out"``, if it has another ending.
    OSError
        If something is there that may not be replaced, or nothing can be written there.
    """
    path, kept = Path(model_out), checkpoint_of(model_out)
    if path.suffix.lower() != SUFFIX:
        raise TrainingError(
            f"{path.name} has no ending {SUFFIX}: use {path.stem}{SUFFIX}", "model_out"
        )
    check_place(path, overwrite=overwrite or (resume and kept.exists()))
    if kept.is_dir():
        raise IsADirectoryError(
            f"{kept} is a folder, and the state of the training goes there: choose another name"
        )
    if kept.exists() and not (resume or overwrite):
        raise FileExistsError(
            f"{kept} has the state of a training that is not through: resume it, or overwrite it"
        )
    trial = partial_of(kept)
    try:
        # asking for permissions tells nothing of root, of network drives and of /proc
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise type(error)(
                f"the name {path.name[:40]}… is too long, as longer ones are written beside it: "
                "choose a shorter one (200 characters fit on most disks)"
            ) from error
        raise type(error)(
            f"{path.parent} cannot be written to ({error.strerror or error}): choose another folder"
        ) from error
