from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_tessera.widgets.save_question import CANCEL, CONTINUE, OVERWRITE, ask, napari_has_asked
from napari_tessera.writing.stored.stored_run import StoredRun

RUN = StoredRun(plan={}, fingerprint="", completed=False, total_tiles=2000, done=list(range(1234)))


def answer(button: str | None) -> list[str]:
    """Press a button of the next question, or Escape; gives what was asked and offered."""
    seen: list[str] = []

    def press() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            return
        timer.stop()
        seen.extend([box.text(), box.informativeText()])
        names = {one.text().replace("&", ""): one for one in box.buttons()}
        seen.append(" ".join(sorted(names)))
        seen.append(box.defaultButton().text().replace("&", ""))
        if button is None:
            box.reject()
        else:
            names[button].click()

    timer = QTimer(QApplication.instance())
    timer.timeout.connect(press)
    timer.start(10)
    return seen


def test_what_exists_is_overwritten_or_not(qtbot: Any) -> None:
    seen = answer("Overwrite")
    assert ask(Path("/folder/a.ome.tif")) == OVERWRITE
    assert seen == [
        "a.ome.tif exists.",
        "Overwrite deletes what is there.",
        "Cancel Overwrite",
        "Cancel",
    ]


@pytest.mark.parametrize("button", ["Cancel", None])
def test_no_answer_is_a_no(qtbot: Any, button: str | None) -> None:
    answer(button)
    assert ask(Path("a.ome.zarr"), RUN) == CANCEL


def test_an_unfinished_run_can_be_continued(qtbot: Any) -> None:
    seen = answer("Continue")
    assert ask(Path("a.ome.zarr"), RUN) == CONTINUE
    assert seen[0] == "a.ome.zarr holds an unfinished denoising: 1,234 of 2,000 tiles."
    assert seen[2:] == ["Cancel Continue Overwrite", "Continue"]


def test_what_is_never_replaced_is_not_offered(qtbot: Any) -> None:
    seen = answer("Continue")
    assert ask(Path("a.ome.zarr"), RUN, replaceable=False) == CONTINUE
    assert seen[2:] == ["Cancel Continue", "Continue"]
    assert "Overwrite" not in seen[1]


def test_napari_s_dialog_is_known_by_its_function() -> None:
    def _save_layers_dialog() -> bool:
        return napari_has_asked()

    assert _save_layers_dialog()
    assert not napari_has_asked()
