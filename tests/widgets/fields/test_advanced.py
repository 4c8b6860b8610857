from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from tests.widgets.conftest import Blur, make_plan
from torch import nn

from napari_tessera.models import DeviceInfo
from napari_tessera.widgets.fields.advanced import AdvancedSection, device_name
from napari_tessera.widgets.reports import PlanReview
from napari_tessera.widgets.request import RunRequest

DEVICES = [DeviceInfo("cuda:0", "NVIDIA H200", 139_000_000_000), DeviceInfo("cpu", "CPU", None)]


@pytest.fixture
def advanced(qtbot: QtBot) -> AdvancedSection:
    section = AdvancedSection()
    qtbot.addWidget(section)
    section.show()
    section.set_open(True)
    return section


def review(network: nn.Module, size: int = 100, **settings: object) -> PlanReview:
    plan = make_plan(np.ones((size, size), np.uint16), "YX", network, patch_size=64, **settings)
    return PlanReview(RunRequest((), blending=settings.get("blending", "auto")), plan, (1, 1), ())


def test_only_what_the_machine_has_is_offered_with_its_free_memory(
    advanced: AdvancedSection,
) -> None:
    texts = [advanced.device.native.itemText(i) for i in range(advanced.device.native.count())]
    assert texts == ["auto"]
    advanced.set_devices(DEVICES)
    texts = [advanced.device.native.itemText(i) for i in range(advanced.device.native.count())]
    assert texts == ["auto (CUDA 0)", "NVIDIA H200 · 139 GB free", "CPU"]
    assert advanced.summary == "CUDA 0, batch auto"


def test_each_of_several_gpus_is_offered_by_its_number_and_all_of_them(
    advanced: AdvancedSection,
) -> None:
    several = [DeviceInfo(f"cuda:{i}", "NVIDIA H200", 139_000_000_000) for i in range(2)]
    advanced.set_devices([*several, DEVICES[1]])
    native = advanced.device.native
    assert [native.itemText(i) for i in range(native.count())] == [
        "auto (CUDA 0)",
        "CUDA 0: NVIDIA H200 · 139 GB free",
        "CUDA 1: NVIDIA H200 · 139 GB free",
        "All 2 GPUs",
        "CPU",
    ]
    advanced.device.value = "all"
    assert advanced.summary == "all GPUs, batch auto"
    advanced.set_devices(DEVICES)
    assert advanced.device.value == "auto", "one GPU is not all of several"


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
    advanced.show_review(review(Blur()))
    assert advanced.batch.edit.placeholderText() == "auto 1"
    with qtbot.waitSignal(advanced.changed):
        qtbot.keyClicks(advanced.batch.edit, "8")
    assert advanced.batch_size == 8
    assert advanced.summary == "device auto, batch 8"


@pytest.mark.parametrize(
    ("text", "message"),
    [("x", "is no whole number"), ("0", "below 1"), (str(10**12), "is above 10000; use fewer")],
)
def test_a_wrong_batch_is_told_beside_it(
    advanced: AdvancedSection, text: str, message: str
) -> None:
    advanced.batch.value = text
    assert message in advanced.problem
    assert message in advanced.batch_message.message
    assert message in advanced.summary


def test_what_a_plan_came_to_is_shown(advanced: AdvancedSection) -> None:
    advanced.show_review(review(Blur()))
    assert advanced.intensity.range.native.currentText() == "none: grey levels as they are"
    assert advanced.joining.joining.native.currentText() == "auto (exact crop)"


def test_where_one_tile_covers_the_image_nothing_is_joined(advanced: AdvancedSection) -> None:
    advanced.joining.joining.value = "linear"
    advanced.show_review(review(Blur(), 40, blending="linear"))
    assert advanced.joining.joining_note.message.startswith("One tile covers the image")


def test_averaging_over_flips_stands_in_the_header(advanced: AdvancedSection) -> None:
    advanced.joining.flips.value = "mean"
    assert advanced.summary == "device auto, flips mean"


def test_problems_stand_beside_what_causes_them(advanced: AdvancedSection) -> None:
    advanced.report("batch size 7 is above 3: use 3", "", "")
    assert "above 3" in advanced.batch_message.message
    assert "above 3" in advanced.summary
    advanced.report("", "choose another range", "")
    assert advanced.batch_message.isHidden()
    assert advanced.intensity.message.message == "choose another range"
    advanced.report("", "", "tiles cannot be turned")
    assert advanced.joining.joining_note.message == "tiles cannot be turned"
    assert "turned" in advanced.summary


def test_reset_leaves_all_to_the_software(advanced: AdvancedSection) -> None:
    advanced.set_devices(DEVICES)
    advanced.device.value, advanced.batch.value, advanced.precision.value = "cpu", "8", "bfloat16"
    advanced.intensity.range.value, advanced.intensity.measured.value = "series", "exact"
    advanced.joining.joining.value, advanced.joining.flips.value = "gaussian", "median"
    advanced.copies.say_copied("Python")
    advanced.reset()
    assert (advanced.device.value, advanced.batch_size, advanced.precision.value) == (
        "auto",
        "auto",
        "float32",
    )
    assert (advanced.intensity.normalization, advanced.intensity.statistics) == ("auto", "sample")
    assert (advanced.joining.blending, advanced.joining.tta) == ("auto", "none")
    assert advanced.copies.message.isHidden()


def test_devices_are_written_as_people_do() -> None:
    assert [device_name(name) for name in ("auto", "cpu", "cuda:1", "mps", "all")] == [
        "device auto",
        "CPU",
        "CUDA 1",
        "MPS",
        "all GPUs",
    ]
