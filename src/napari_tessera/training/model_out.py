"""Where a trained model goes, and what is beside it while it is trained."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from napari_tessera.training.errors import TrainingError
from napari_tessera.whole_files import check_place, partial_of

SUFFIX = ".safetensors"


def checkpoint_of(model_out: str | os.PathLike[str]) -> Path:
    """Where the state of a training is kept while it goes on: beside the model it makes."""
    path = Path(model_out)
    return path.with_name(f"{path.name}.training")


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
