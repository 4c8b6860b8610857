"""Whatever way a controller goes, its runs end and its grid is taken away."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

from napari.components import ViewerModel

from napari_tessera.widgets.controller import RunController
from napari_tessera.widgets.grid_keeper import GridKeeper
from napari_tessera.widgets.leash import Leash


def test_sets_all_cancels_once() -> None:
    leash = Leash(GridKeeper(ViewerModel()))
    events = [threading.Event(), threading.Event()]
    leash.hold(events)
    assert not leash.gone
    leash.let_go()
    assert leash.gone
    assert all(event.is_set() for event in events)
    events[0].clear()
    leash.let_go()
    assert not events[0].is_set()


def test_keeps_neither_controller_nor_viewer_alive(qtbot: Any) -> None:
    viewer = ViewerModel()
    controller = RunController(viewer)
    watched = weakref.ref(controller), weakref.ref(viewer), weakref.ref(controller._leash)
    del viewer, controller
    gc.collect()
    assert [reference() for reference in watched] == [None, None, None]


def test_garbage_collected_in_another_thread_it_goes_quietly(qtbot: Any) -> None:
    """Qt then destroys it later, when its slots have been emptied already."""
    for _ in range(20):
        controller = RunController(ViewerModel())
        controller.itself = controller  # type: ignore[attr-defined]
        del controller
    collector = threading.Thread(target=gc.collect)
    collector.start()
    collector.join()
    destroyed = RunController(ViewerModel())
    with qtbot.waitSignal(destroyed.destroyed):
        destroyed.deleteLater()
