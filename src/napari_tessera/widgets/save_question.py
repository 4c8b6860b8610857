"""What to do where something is already saved."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from qtpy.QtWidgets import QMessageBox

from napari_tessera.widgets.main_window import main_window
from napari_tessera.writing.stored.stored_run import StoredRun

CONTINUE, OVERWRITE, CANCEL = "continue", "overwrite", "cancel"

_FILE_DIALOG = "_save_layers_dialog"
"""napari's function that asks for a file name. No part of what it promises."""


def ask(path: Path, unfinished: StoredRun | None = None, *, replaceable: bool = True) -> str:
    """Ask what to do with what is there; gives one of `CONTINUE`, `OVERWRITE`, `CANCEL`.

    Parameters
    ----------
    path : pathlib.Path
        What is there.
    unfinished : StoredRun, optional
        The run that is stored there in part, and could be gone on with.
    replaceable : bool
        Whether overwriting is offered.
    """
    box = QMessageBox(main_window())
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Save")
    cancel = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    choices: dict[Any, str] = {cancel: CANCEL}
    # Enter deletes nothing
    box.setDefaultButton(cancel)
    box.setEscapeButton(cancel)
    if unfinished is None:
        box.setText(f"{path.name} exists.")
        box.setInformativeText("Overwrite deletes what is there.")
    else:
        done, total = unfinished.n_done, unfinished.total_tiles
        box.setText(f"{path.name} holds an unfinished denoising: {done:,} of {total:,} tiles.")
        box.setInformativeText(
            "Continue goes on with it in the dock; the layer is not saved. Overwrite deletes it."
            if replaceable
            else "Continue goes on with it in the dock; the layer is not saved."
        )
        button = box.addButton("Continue", QMessageBox.ButtonRole.AcceptRole)
        choices[button] = CONTINUE
        box.setDefaultButton(button)
    if replaceable:
        button = box.addButton("Overwrite", QMessageBox.ButtonRole.DestructiveRole)
        choices[button] = OVERWRITE
    box.exec()
    choice = choices.get(box.clickedButton(), CANCEL)
    box.deleteLater()
    return choice


def napari_has_asked() -> bool:
    """Whether napari's file dialog calls, in which people are asked before a file is replaced.

    It asks only for a file whose name was typed with its ending: a folder it opens instead, and
    endings that are added later it does not know. Nothing but the calling function tells the
    dialog from a script that saves; were it renamed, people would be asked twice.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_name != _FILE_DIALOG:
        frame = frame.f_back
    return frame is not None
