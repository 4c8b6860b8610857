"""A key that is held, and what is left behind where it was somebody else's."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from napari_tessera.widgets.compare.held_key import HeldKey


@pytest.mark.parametrize("taken", [False, True])
def test_let_go_nothing_listens_any_more(qapp: QApplication, taken: bool) -> None:
    viewer = ViewerModel()
    signals = (qapp.focusChanged, qapp.applicationStateChanged)
    before = [qapp.receivers(signal) for signal in signals]

    def theirs(viewer: ViewerModel) -> None:
        pass

    if taken:
        viewer.bind_key("H", theirs)
    key = HeldKey(viewer, "H", lambda: None, lambda: None)
    assert key.is_bound is not taken
    assert [qapp.receivers(signal) for signal in signals] == [n + 1 for n in before]
    key.let_go()
    key.let_go()
    assert [qapp.receivers(signal) for signal in signals] == before
    assert viewer.bind_key("H", None) is (theirs if taken else None)
