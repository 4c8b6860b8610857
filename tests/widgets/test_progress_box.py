"""What the engine reports, between two looks of the GUI."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, noisy

from napari_tessera.prediction import Progress
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.progress_box import ProgressBox, progress_report
from napari_tessera.widgets.request import RunRequest


def test_reports_are_collected_between_looks() -> None:
    box = ProgressBox()
    assert box.take() == (None, [])
    for i in range(3):
        box.put(Progress(i + 1, 10, (), (i,), 1.0, 100, {}))
    latest, finished = box.take()
    assert latest is not None
    assert (latest.done, finished) == (3, [0, 1, 2])
    assert box.take() == (None, [])
    box.put(Progress(4, 10, (), (3,), 1.0, 100, {}))
    box.start()
    assert box.take() == (None, [])


def test_speed_and_time_left_are_those_of_measured_tiles() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(noisy((64, 64)), name="cells")
    run = LayerRun.of(viewer, RunRequest((layer,), Blur(), patch_size=(32, 32)), layer)
    none_yet = progress_report(run, Progress(40, 100, (), (), 9.0, 0, {}, warm_up_seconds=8), 1, 1)
    assert (none_yet.seconds_left, none_yet.tiles_per_second) == (None, None)
    assert (none_yet.megapixels_per_second, none_yet.bottleneck) == (None, None)
    latest = Progress(
        60,
        100,
        (),
        (),
        18.5,
        5_000_000,
        {},
        warm_up_seconds=8.0,
        measured_tiles=20,
        measured_pixels=4_000_000,
        measured_seconds=10.0,
        bottleneck="read",
        device_bytes=3 * 10**9,
    )
    report = progress_report(run, latest, 2, 3)
    assert (report.tiles_per_second, report.seconds_left) == (2.0, 20.0)
    assert report.megapixels_per_second == pytest.approx(0.4)
    assert (report.layer, report.layer_number, report.n_layers) == ("cells", 2, 3)
    assert (report.bottleneck, report.device_bytes) == ("read", 3 * 10**9)
