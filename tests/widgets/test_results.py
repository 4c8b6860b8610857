from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_tessera.widgets.results import Results, hide, is_shown


def test_nothing_is_there_before_a_run() -> None:
    results = Results(ViewerModel())
    assert (results.outputs, results.removed_noise, results.disagreement) == ((), (), ())
    assert results.show_removed_noise() == []


def test_what_is_shown_is_hidden_together() -> None:
    one, two = Image(np.zeros((4, 4))), Image(np.zeros((4, 4)), visible=False)
    assert is_shown((one, two))
    assert hide((one, two))
    assert not is_shown((one, two))
    assert not hide((one, two))
    assert not two.visible
