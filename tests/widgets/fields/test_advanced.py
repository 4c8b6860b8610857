from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_tessera.models import DeviceInfo
from napari_tessera.widgets.fields.advanced import AdvancedSection, device_name

DEVICES = [DeviceInfo("cuda:0", "NVIDIA H200", 139_000_000_000), DeviceInfo("cpu", "CPU", None)]


@pytest.fixture
def advanced(qtbot: QtBot) -> AdvancedSection:
    section = AdvancedSection()
    qtbot.addWidget(section)
    section.show()
    section.set_open(True)
    return section


def texts(section: AdvancedSection, name: str) -> list[str]:
    combo = getattr(section, name).native
    return [combo.itemText(i) for i in range(combo.count())]


def test_only_what_the_machine_has_is_offered_with_its_free_memory(
    advanced: AdvancedSection,
) -> None:
    assert texts(advanced, "device") == ["auto"]
    advanced.set_devices(DEVICES)
    assert texts(advanced, "device") == ["auto (CUDA 0)", "NVIDIA H200 · 139 GB free", "CPU"]
    assert advanced.summary == "CUDA 0, batch auto"


def test_the_device_chosen_survives_a_new_list(advanced: AdvancedSection) -> None:
    advanced.set_devices(DEVICES)
    advanced.device.value = "cpu"
    advanced.set_devices(DEVICES)
    assert advanced.device.value == "cpu"
    assert advanced.summary == "CPU, batch auto"
    advanced.set_devices(DEVICES[:1])
    assert advanced.device.value == "auto"


def test_a_batch_is_a_number_or_auto(advanced: AdvancedSection, qtbot: QtBot) -> None:
    assert advanced.batch_size == "auto"
    advanced.show_plan(4, auto=True)
    assert advanced.batch.edit.placeholderText() == "auto 4"
    with qtbot.waitSignal(advanced.changed):
        qtbot.keyClicks(advanced.batch.edit, "8")
    assert advanced.batch_size == 8
    assert advanced.summary == "device auto, batch 8"


@pytest.mark.parametrize(("text", "message"), [("x", "is no whole number"), ("0", "below 1")])
def test_a_wrong_batch_is_told_beside_it(
    advanced: AdvancedSection, text: str, message: str
) -> None:
    advanced.batch.value = text
    assert message in advanced.problem
    assert message in advanced.batch_message.message
    assert message in advanced.summary


def test_the_models_range_is_offered_where_there_is_one(advanced: AdvancedSection) -> None:
    assert texts(advanced, "range") == ["the model's", "each time point", "whole series"]
    advanced.range.value = "time_point"
    advanced.set_model_has_range(False)
    assert texts(advanced, "range") == ["each time point", "whole series"]
    assert advanced.normalization == "auto"
    advanced.range.value = "series"
    advanced.set_model_has_range(True)
    assert advanced.normalization == "series"


def test_there_is_one_way_to_join_tiles_and_it_says_so(advanced: AdvancedSection) -> None:
    assert texts(advanced, "joining") == ["exact crop"]
    assert "The only way so far." in advanced.joining.native.toolTip()


def test_problems_stand_beside_what_causes_them(advanced: AdvancedSection) -> None:
    advanced.report("device 'mps' is not on this machine: use auto or cpu", "", "")
    assert "mps" in advanced.device_message.message
    assert "mps" in advanced.summary
    advanced.report("", "", "choose another range")
    assert advanced.device_message.isHidden()
    assert advanced.range_message.message == "choose another range"


@pytest.mark.parametrize("button", ["python", "command", "reset"])
def test_the_buttons_tell(advanced: AdvancedSection, qtbot: QtBot, button: str) -> None:
    with qtbot.waitSignal(getattr(advanced, f"{button}_wanted")):
        qtbot.mouseClick(getattr(advanced, f"{button}_button").native, Qt.MouseButton.LeftButton)


def test_reset_leaves_all_to_the_software(advanced: AdvancedSection) -> None:
    advanced.set_devices(DEVICES)
    advanced.device.value, advanced.batch.value, advanced.range.value = "cpu", "8", "series"
    advanced.say_copied("Copied as Python.", good=True)
    advanced.reset()
    assert (advanced.device.value, advanced.batch_size, advanced.normalization) == (
        "auto",
        "auto",
        "auto",
    )
    assert advanced.copy_message.isHidden()


def test_devices_are_written_as_people_do() -> None:
    assert [device_name(name) for name in ("auto", "cpu", "cuda:1", "mps")] == [
        "device auto",
        "CPU",
        "CUDA 1",
        "MPS",
    ]
