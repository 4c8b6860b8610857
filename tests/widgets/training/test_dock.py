"""The dock that trains in a real window, used as a person does, with real trainings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.widgets.conftest import WAIT_MS
from tests.widgets.training.conftest import Window, blocks

from napari_tessera import load_model, predict
from napari_tessera.models.recent import recent_models
from napari_tessera.stacks import ArrayStack
from napari_tessera.training import checkpoint_of
from napari_tessera.widgets.training.controller import DONE, FAILED, PAUSED, TRAINING


def test_three_fields_and_a_click_make_a_model(window: Window) -> None:
    layer = window.open()
    before = layer.data.copy()
    window.train()
    window.until(TRAINING)
    assert not window.dock.image.isEnabled()
    window.until(DONE)
    model = window.models / "cells_n2v.safetensors"
    assert model.exists()
    assert not checkpoint_of(model).exists()
    assert window.view.kept.message.startswith("Trained 30 steps in")
    assert "cells_n2v" in window.view.kept.message
    assert window.view.use_button.native.isVisible()
    assert recent_models() == [str(model)]
    assert np.array_equal(layer.data, before)
    denoised = predict(ArrayStack(layer.data, "YX"), load_model(model, device="cpu"))
    assert denoised.shape == (64, 64)
    # the next one goes beside it
    assert window.dock.advanced.save.path == window.models / "cells_n2v_2.safetensors"
    assert window.view.main.text() == "▶ Train"


def test_the_losses_are_plotted(window: Window) -> None:
    window.open()
    assert not window.view.curve.is_made
    window.train()
    window.until(DONE)
    points = window.view.curve.points
    steps, losses = points["training"]
    assert steps[-1] == 30
    assert np.isfinite(losses).all()
    assert points["validation"][0].tolist() == [30]
    assert window.view.curve.isVisible()
    assert "validation loss" in window.view.curve.toolTip()


def test_stop_and_use_writes_the_weights_so_far_and_can_go_on(window: Window) -> None:
    window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    assert window.view.main.text() == "■ Stop and use"
    window.click(window.view.main)
    window.until(DONE)
    model = window.models / "cells_n2v.safetensors"
    assert model.exists()
    assert " of 5,000 in " in window.view.kept.message
    # what was used can be trained on, and is then replaced
    first = model.read_bytes()
    window.wait(lambda: "Continue training" in window.view.main.text())
    done = window.dock.controller.progress.step
    window.click(window.view.main)
    window.until(TRAINING)
    window.steps_done(done + 1)
    window.click(window.view.main)
    window.until(DONE)
    assert model.read_bytes() != first


def test_cancel_keeps_what_was_learned_and_continue_goes_on(window: Window) -> None:
    window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    assert window.view.second.text() == "Cancel"
    window.click(window.view.second)
    window.until(PAUSED)
    model = window.models / "cells_n2v.safetensors"
    assert checkpoint_of(model).exists()
    assert not model.exists()
    assert window.view.kept.message.startswith("Stopped after")
    done = window.dock.controller.progress.step
    window.wait(lambda: "Continue training" in window.view.main.text())
    window.click(window.view.main)
    window.until(TRAINING)
    window.steps_done(done + 1)
    # the curve goes on as well
    steps = window.view.curve.points["training"][0]
    assert steps[0] <= done
    window.click(window.view.main)
    window.until(DONE)
    assert model.exists()


def test_a_training_of_another_session_can_go_on(window: Window) -> None:
    window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    window.click(window.view.second)
    window.until(PAUSED)
    window.viewer.layers.clear()
    window.wait(lambda: "Train" in window.view.main.text())
    window.dock.advanced.reset()
    # other numbers than then: those of the checkpoint count
    window.viewer.add_image(blocks()[0], name="cells")
    window.wait(lambda: "Continue training" in window.view.main.text())
    window.click(window.view.main)
    window.until(TRAINING)
    assert window.dock.controller.request.settings.steps == 5000
    window.click(window.view.second)
    window.until(PAUSED)


def test_start_over_begins_anew(window: Window) -> None:
    window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    window.click(window.view.second)
    window.until(PAUSED)
    window.wait(lambda: window.view.second.text() == "Start over")
    window.small(steps=10)
    window.wait(lambda: window.dock.advanced.typed_steps == 10 and not window.dock.reason)
    window.wait(lambda: window.view.second.isVisible())
    window.click(window.view.second)
    window.until(DONE)
    assert window.dock.controller.progress.step == 10


def test_a_clean_layer_is_learned_from(window: Window) -> None:
    noisy, clean = blocks()
    window.viewer.add_image(clean, name="clean cells")
    window.open(noisy)
    window.dock.method.chooser.value = "supervised"
    assert window.dock.method.target.name == "clean cells"
    window.train()
    window.until(DONE)
    assert (window.models / "cells_supervised.safetensors").exists()


def test_volumes_and_masks_are_trained_on(window: Window) -> None:
    noisy, _ = blocks((8, 48, 48))
    window.viewer.add_labels(np.ones((8, 48, 48), int), name="inside")
    window.open(noisy, axis_labels=("z", "y", "x"))
    window.dock.advanced.dims.value = 3
    window.small(steps=4)
    window.dock.advanced.where.value = window.viewer.layers["inside"]
    window.train()
    window.until(DONE, FAILED)
    assert window.state == DONE, window.view.failure.message


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((64, 64), np.float32), "0"),
        (np.full((64, 64), 7, np.float32), "7"),
        (np.full((64, 64), np.nan, np.float32), "finite"),
        (np.ones((3, 64), np.float32), "3"),
    ],
    ids=["zero", "constant", "nan", "small"],
)
def test_what_cannot_be_trained_on_is_told_beside_the_image(
    window: Window, image: Any, said: str
) -> None:
    window.open(image)
    window.train()
    window.until(FAILED)
    messages = [window.dock.image.message, window.dock.advanced.messages["patch_size"]]
    told = [message.message for message in messages if message.message]
    assert len(told) == 1
    assert said in told[0]
    assert "layer:" not in told[0]
    assert "\n" not in told[0]
    assert not window.view.failure.message


def test_a_mask_that_leaves_nothing_is_told_beside_the_mask(window: Window) -> None:
    window.viewer.add_labels(np.zeros((64, 64), int), name="nowhere")
    window.open()
    window.dock.advanced.where.value = window.viewer.layers["nowhere"]
    window.train()
    window.until(FAILED)
    assert window.dock.advanced.messages["mask"].message
    assert window.dock.advanced.summary == window.dock.advanced.messages["mask"].message


def test_a_clean_layer_of_another_size_is_told_before_anything_runs(window: Window) -> None:
    window.viewer.add_image(np.ones((32, 64), np.float32), name="clean")
    window.open()
    window.dock.method.chooser.value = "supervised"
    window.dock.method.clean.value = window.viewer.layers["clean"]
    assert "32×64" in window.dock.method.message.message
    assert not window.view.main.isEnabled()
    assert window.view.main.toolTip() == window.dock.method.problem


def test_numbers_that_cannot_be_are_told_beside_them(window: Window) -> None:
    window.open()
    advanced = window.dock.advanced
    advanced.set_open(True)
    advanced.numbers["depth"].value = "two"
    window.wait(lambda: bool(advanced.messages["depth"].message))
    assert not window.view.main.isEnabled()
    advanced.numbers["depth"].value = "2"
    advanced.patch.value = (15, 16)
    window.wait(lambda: "multiple of 4" in advanced.messages["patch_size"].message)
    advanced.patch.value = (16, 16)
    window.wait(lambda: window.view.main.isEnabled())


def test_removing_the_layer_keeps_what_was_learned(window: Window) -> None:
    layer = window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    window.viewer.layers.remove(layer)
    window.until(PAUSED)
    assert "cells was removed" in window.view.notices.message
    assert checkpoint_of(window.models / "cells_n2v.safetensors").exists()


def test_other_data_keep_what_was_learned(window: Window) -> None:
    layer = window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    layer.data = np.zeros((64, 64), np.float32)
    window.until(PAUSED)
    assert "other data" in window.view.notices.message


def test_closing_the_dock_keeps_what_was_learned(window: Window) -> None:
    window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    window.viewer.window.remove_dock_widget(window.dock)
    kept = checkpoint_of(window.models / "cells_n2v.safetensors")
    window.qtbot.waitUntil(kept.exists, timeout=WAIT_MS)


def test_closing_the_window_keeps_what_was_learned(window: Window) -> None:
    window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    window.viewer.close()
    kept = checkpoint_of(window.models / "cells_n2v.safetensors")
    window.qtbot.waitUntil(kept.exists, timeout=WAIT_MS)


def test_a_full_disk_is_told_and_the_training_goes_on(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_tessera.training.loop import trainer

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer, "write_checkpoint", full)
    window.open()
    window.small(steps=5000)
    window.train()
    window.steps_done(3)
    window.click(window.view.second)
    window.until(FAILED)
    told = " ".join(window.told)
    assert "No space left" in told
    assert window.dock.advanced.save.message.message


def test_the_dock_is_as_narrow_as_the_other_one(window: Window) -> None:
    window.open()
    window.dock.advanced.set_open(True)
    assert window.dock.column.content.minimumSizeHint().width() <= 300
