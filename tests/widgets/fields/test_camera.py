"""Hot pixels, offset and gain in the dock: the fields, and all that reads and sets them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera import load_model, open_stack, predict
from napari_tessera.widgets.adopting import adopt
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.fields.advanced import AdvancedSection
from napari_tessera.widgets.fields.camera import CameraFields
from napari_tessera.widgets.files.order import model_and_settings
from napari_tessera.widgets.plan_differences import can_be_adopted, differences
from napari_tessera.widgets.request import EVERYTHING
from napari_tessera.widgets.run_state import DONE

WAIT_MS = 60_000


@pytest.fixture
def fields(qtbot: QtBot) -> CameraFields:
    widget = CameraFields(68)
    qtbot.addWidget(widget)
    widget.show()
    return widget


def test_at_first_grey_levels_are_left_alone(fields: CameraFields) -> None:
    assert (fields.hot_pixels, fields.camera_offset, fields.camera_gain) == ("keep", None, None)
    assert fields.message.isHidden()
    tips = (fields.hot_box.tooltip, fields.offset.tooltip, fields.gain.tooltip)
    assert "median of their 8 neighbours" in tips[0]
    assert "Grey level" in tips[1]
    assert "Grey levels per photo-electron" in tips[2]


def test_what_is_typed_counts_when_the_keys_rest(fields: CameraFields, qtbot: QtBot) -> None:
    with qtbot.waitSignal(fields.changed):
        qtbot.keyClicks(fields.offset.native, " 100 ")
    with qtbot.waitSignal(fields.changed):
        qtbot.keyClicks(fields.gain.native, "0.46")
    assert (fields.camera_offset, fields.camera_gain) == (100.0, 0.46)
    with qtbot.waitSignal(fields.changed):
        qtbot.mouseClick(fields.hot_box.native, Qt.MouseButton.LeftButton)
    assert fields.hot_pixels == "replace"
    with qtbot.waitSignal(fields.changed):
        fields.reset()
    assert (fields.hot_pixels, fields.camera_offset, fields.camera_gain) == ("keep", None, None)
    assert (fields.offset.value, fields.gain.value) == ("", "")


@pytest.mark.parametrize(
    ("offset", "gain", "problem"),
    [
        ("ten", "", "camera offset 'ten' is no number; type one like 100, or nothing"),
        ("inf", "", "camera offset inf is not finite; give grey levels, like 100"),
        ("", "0", "camera gain 0.0 is not above 0; give grey levels per photo-electron, like 0.46"),
        ("", "nan", "camera gain nan is not finite"),
        ("5", "0,46", "camera gain '0,46' is no number"),
    ],
)
def test_a_number_that_cannot_be_is_told_beside_it(
    fields: CameraFields, qtbot: QtBot, offset: str, gain: str, problem: str
) -> None:
    with qtbot.waitSignal(fields.changed):
        fields.offset.value, fields.gain.value = offset, gain
    assert fields.problem.startswith(problem)
    assert fields.message.message == fields.problem
    wrong = fields.offset if "offset" in problem else fields.gain
    other = fields.gain if wrong is fields.offset else fields.offset
    assert wrong.native.property("wrong") == "true"
    assert other.native.property("wrong") == "false"
    with qtbot.waitSignal(fields.changed):
        fields.reset()
    assert fields.message.isHidden()


def test_numbers_that_change_nothing_are_none(fields: CameraFields) -> None:
    fields.camera_offset, fields.camera_gain = 0.0, 1.0
    assert (fields.camera_offset, fields.camera_gain) == (None, None)
    fields.camera_offset, fields.camera_gain = 100.25, 1 / 3
    assert fields.camera_offset == 100.25
    assert fields.camera_gain == pytest.approx(1 / 3, rel=1e-14)


def test_what_planning_finds_stands_until_something_changes(
    fields: CameraFields, qtbot: QtBot
) -> None:
    fields.report("something of the engine")
    assert fields.message.message == "something of the engine"
    with qtbot.waitSignal(fields.changed):
        fields.hot_box.value = True
    assert fields.message.isHidden()


def test_the_section_says_so_in_its_header(qtbot: QtBot) -> None:
    section = AdvancedSection()
    qtbot.addWidget(section)
    section.camera.hot_box.value = True
    assert section.summary == "device auto, hot pixels"
    section.camera.camera_gain = -1.0
    assert section.problem.startswith("camera gain -1.0 is not above 0")
    assert "camera gain" in section.summary
    section.batch.value = "0"
    assert "batch" in section.problem
    assert section.camera.message.message.startswith("camera gain")
    section.reset()
    assert section.problem == ""
    assert section.summary == "device auto, batch auto"
    section.report("", "", "", "of the camera")
    assert section.camera.message.message == "of the camera"


@pytest.fixture
def dock(make_napari_viewer: Any) -> DenoiseDock:
    viewer = make_napari_viewer(show=True)
    widget = DenoiseDock(viewer)
    viewer.window.add_dock_widget(widget, name="Denoise", area="right")
    return widget


def with_hot_pixels() -> np.ndarray:
    image = np.rint(noisy((2, 45, 50))).astype(np.uint16)
    image[:, 10, 12], image[:, 40, 41], image[1, 30, 0] = 9000, 4000, 7000
    return image


def test_a_run_in_the_window_does_as_it_is_told(dock: DenoiseDock, qtbot: QtBot) -> None:
    image = with_hot_pixels()
    dock.viewer.add_image(image, name="cells", axis_labels=("t", "y", "x"))
    settings = dock.settings
    advanced = settings.advanced
    settings.area.value = EVERYTHING
    advanced.set_open(True)
    dock.column.ensureWidgetVisible(advanced.camera, 0, 8)
    qtbot.waitUntil(lambda: advanced.camera.hot_box.native.height() > 0)
    qtbot.mouseClick(advanced.camera.hot_box.native, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(advanced.camera.offset.native, "20")
    qtbot.keyClicks(advanced.camera.gain.native, "0.5")
    button = dock.run_row.main_button.native
    wanted = {"hot_pixels": "replace", "camera_offset": 20.0, "camera_gain": 0.5}
    qtbot.waitUntil(
        lambda: button.isEnabled() and wanted.items() <= _asked(dock).items(), timeout=WAIT_MS
    )
    dock.press_main()
    qtbot.waitUntil(lambda: dock.controller.state == DONE, timeout=WAIT_MS)
    output = dock.controller.results.outputs[-1]
    model = load_model("builtin:denoise2d", device="cpu", precision="float32")
    expected = predict(open_stack(image, "TYX"), model, torch_threads=1, **wanted)
    kept = predict(open_stack(image, "TYX"), model, torch_threads=1)
    assert np.abs(np.asarray(output.data) - expected).max() < 1e-3
    assert np.abs(kept - expected).max() > 10
    # and as code
    copies = advanced.copies
    qtbot.mouseClick(copies.python_button.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: copies.message.message == "Copied as Python.", timeout=WAIT_MS)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    for part in ("hot_pixels='replace'", "camera_offset=20.0", "camera_gain=0.5"):
        assert part in clipboard.text()
    qtbot.mouseClick(copies.reset_button.native, Qt.MouseButton.LeftButton)
    assert not wanted.keys() & _asked(dock).keys()


def _asked(dock: DenoiseDock) -> dict[str, Any]:
    request = dock.request()
    return {} if request is None else request.plan_settings


def test_a_number_that_cannot_be_keeps_the_button_off(dock: DenoiseDock, qtbot: QtBot) -> None:
    dock.viewer.add_image(with_hot_pixels(), name="cells", axis_labels=("t", "y", "x"))
    button = dock.run_row.main_button.native
    qtbot.waitUntil(button.isEnabled, timeout=WAIT_MS)
    dock.settings.advanced.set_open(True)
    qtbot.keyClicks(dock.settings.advanced.camera.gain.native, "-2")
    qtbot.waitUntil(lambda: not button.isEnabled(), timeout=WAIT_MS)
    assert "camera gain -2.0 is not above 0" in dock.reason()
    with pytest.raises(ValueError, match="camera gain"):
        model_and_settings(dock.settings)


def test_settings_of_a_stored_run_are_taken_over(dock: DenoiseDock) -> None:
    image = with_hot_pixels()
    options = {"hot_pixels": "replace", "camera_offset": 20.0, "camera_gain": 0.5}
    stored = make_plan(image, "TYX", Blur(), **options)
    plain = make_plan(image, "TYX", Blur())
    told = differences(stored.to_dict(), plain, pixels=True)
    numbers = "camera offset 20.0 there, 0 now; camera gain 0.5 there, 1 now"
    assert told == f"hot pixels; {numbers}; 1 more"
    assert "version" not in told
    assert can_be_adopted(stored.to_dict(), plain)
    assert can_be_adopted(plain.to_dict(), stored)
    adopt(dock.settings, stored.to_dict())
    camera = dock.settings.advanced.camera
    assert (camera.hot_pixels, camera.camera_offset, camera.camera_gain) == ("replace", 20.0, 0.5)
    *_, settings = model_and_settings(dock.settings)
    assert options.items() <= dict(settings).items()
    adopt(dock.settings, plain.to_dict())
    assert (camera.hot_pixels, camera.camera_offset, camera.camera_gain) == ("keep", None, None)
