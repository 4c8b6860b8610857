"""A text in the status bar that stays while napari sets its own."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel

from napari_tessera.widgets.grid.status_line import StatusLine

VALUE = {
    "layer_name": "cells",
    "layer_base": "cells",
    "source_type": "sample",
    "plugin": "napari-tessera",
    "coordinates": "[3 4]: 17",
    "coords": "[3 4]",
    "value": "17",
}


def test_stays_behind_whatever_the_viewer_says() -> None:
    viewer = ViewerModel()
    line = StatusLine(viewer)
    line.say("tile 1")
    assert viewer.status == "tile 1"
    viewer.status = dict(VALUE)
    assert viewer.status["coordinates"] == "[3 4]: 17 · tile 1"
    assert viewer.status["layer_base"] == "cells"
    line.say("tile 2")
    assert viewer.status["coordinates"] == "[3 4]: 17 · tile 2"
    viewer.status = "busy"
    assert viewer.status == "busy · tile 2"


def test_the_window_shows_it_last() -> None:
    viewer = ViewerModel()
    shown: list[Any] = []
    viewer.events.status.connect(lambda event: shown.append(event.value))
    line = StatusLine(viewer)
    line.say("tile 1")
    viewer.status = "cells [1 2]: 3"
    assert viewer.status == "cells [1 2]: 3 · tile 1"
    assert shown[-1] == "cells [1 2]: 3 · tile 1"


def test_gives_back_what_the_viewer_said() -> None:
    viewer = ViewerModel()
    line = StatusLine(viewer)
    line.say("tile 1")
    viewer.status = dict(VALUE)
    line.say("")
    assert viewer.status == VALUE
    viewer.status = "Ready"
    assert viewer.status == "Ready"
    line.say("")
    assert line.text == ""
