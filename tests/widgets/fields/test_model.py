from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QLineEdit, QVBoxLayout, QWidget
from tests.widgets.conftest import Blur

from napari_tessera.models import load_model
from napari_tessera.models.recent import recent_models, remember_model
from napari_tessera.widgets.fields.model import BUILTIN, SEES_VOLUMES, TRAIN, ModelField
from napari_tessera.widgets.fields.model_chooser import FILTER, OTHER, ModelChooser, model_names
from napari_tessera.widgets.model_reader import ModelChoice, ModelReading
from napari_tessera.widgets.request import RunRequest

INSIDE = QPoint(8, 8)
"""Where the check box is, in the widget that has its text as well."""


@pytest.fixture
def field(qtbot: QtBot) -> ModelField:
    field = ModelField()
    qtbot.addWidget(field)
    field.show()
    return field


def test_a_volume_is_told_of_the_model_for_volumes(field: ModelField, tmp_path: Path) -> None:
    field.set_channels(1, (), "TYX")
    assert field.hint.isHidden()
    field.set_channels(1, (), "TZYX")
    assert (field.hint.message, field.hint.level) == (SEES_VOLUMES, "muted")
    assert "Built-in 3D" in BUILT_IN[1]
    for other in ("builtin:denoise3d", tmp_path / "own.pt"):
        field.value = other
        assert field.hint.isHidden()
        field.reset()
        assert field.hint.isVisible()


BUILT_IN = ("Built-in 2D (no training)", "Built-in 3D (no training)")


def names(field: ModelField) -> list[str]:
    """What can be chosen; training one comes last."""
    combo = field.main.combo
    texts = [combo.itemText(i) for i in range(combo.count())]
    return [text for text in texts if text != TRAIN]


def test_the_built_in_model_says_what_it_is_not(field: ModelField) -> None:
    assert field.value == BUILTIN
    assert names(field) == [*BUILT_IN]
    assert field.main.combo.toolTip().endswith("not trained on your sample.")


def test_a_file_is_offered_by_its_name(field: ModelField, qtbot: QtBot) -> None:
    with qtbot.waitSignal(field.changed):
        field.value = Path("/data/a/model.pt")
    assert field.value == str(Path("/data/a/model.pt"))
    assert names(field) == [*BUILT_IN, "model.pt"]
    assert field.main.combo.toolTip() == str(Path("/data/a/model.pt"))


def test_files_of_the_same_name_are_told_apart(field: ModelField) -> None:
    field.value = Path("/data/a/model.pt")
    field.value = Path("/data/b/model.pt")
    assert names(field)[2:] == ["b — model.pt", "a — model.pt"]


def test_names_begin_with_what_differs() -> None:
    assert model_names(["/m/a/out/last.ckpt", "/m/b/out/last.ckpt", "/m/x.pt"]) == [
        "a/out — last.ckpt",
        "b/out — last.ckpt",
        "x.pt",
    ]
    assert model_names(["/m/unet/rdf.yaml", "/m/care/bioimageio.yaml", "/m/a/x.pt"]) == [
        "unet",
        "care",
        "x.pt",
    ]
    assert model_names(["/m/1/unet/rdf.yaml", "/m/2/unet"]) == ["1 — unet", "2 — unet"]
    both = ["/m/unet", "/m/unet/rdf.yaml"]
    assert model_names(both) == both
    assert model_names(["rdf.yaml"]) == ["rdf.yaml"]


@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "rdf.yaml"]), min_size=1, max_size=4).map(
            lambda parts: "/" + "/".join(parts)
        ),
        unique=True,
        max_size=8,
    )
)
def test_no_two_files_have_one_name(paths: list[str]) -> None:
    names = model_names(paths)
    assert len({*names}) == len(paths) == len(names)


def test_the_last_choice_asks_for_a_training_and_chooses_nothing(
    field: ModelField, qtbot: QtBot
) -> None:
    field.value = "/data/a/model.pt"
    combo = field.main.combo
    assert combo.itemText(combo.count() - 1) == TRAIN
    with qtbot.assertNotEmitted(field.changed), qtbot.waitSignal(field.training_wanted):
        combo.setCurrentIndex(combo.count() - 1)
    assert field.value == "/data/a/model.pt"
    assert combo.currentText() == "model.pt"


def test_the_same_model_again_is_no_change(field: ModelField, qtbot: QtBot) -> None:
    field.value = "/data/a/model.pt"
    with qtbot.assertNotEmitted(field.changed):
        field.value = "/data/a/model.pt"


def test_the_button_opens_a_file_chooser_that_blocks_nothing(
    field: ModelField, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"")
    qtbot.mouseClick(field.browse_button.native, Qt.MouseButton.LeftButton)
    dialog = field.window().findChild(QFileDialog)
    assert dialog is not None
    with qtbot.waitSignal(field.changed):
        dialog.fileSelected.emit(str(path))
    dialog.reject()
    assert field.value == str(path)


def test_a_problem_stands_beside_the_field_until_another_is_chosen(field: ModelField) -> None:
    field.value = "/data/model.pt"
    field.report("model.pt cannot be loaded: it is empty. Check it")
    assert field.message.isVisible()
    assert field.main.combo.property("wrong") == "true"
    field.value = BUILTIN
    assert not field.message.isVisible()
    assert field.main.combo.property("wrong") == "false"


def test_a_model_that_was_loaded_is_offered_next_time(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_TESSERA_STATE", str(tmp_path / "state"))
    path = tmp_path / "model.pt"
    path.write_bytes(b"")
    field = ModelField()
    qtbot.addWidget(field)
    field.value = path
    assert recent_models() == []
    field.keep(RunRequest((), field.value))
    qtbot.waitUntil(lambda: recent_models() == [str(path)])
    field.keep(RunRequest((), BUILTIN))
    later = ModelField()
    qtbot.addWidget(later)
    with qtbot.waitSignal(later.known.changed):
        later.known.find()
    assert names(later)[2:] == ["model.pt"]
    assert later.value == BUILTIN
    later.known.offer([str(path)])
    assert names(later)[2:] == ["model.pt"]


def test_the_dialog_offers_every_format() -> None:
    for suffix in (".ckpt", ".pth", ".pt", ".pt2", ".onnx", ".safetensors", ".zip", ".yaml"):
        assert f"*{suffix} " in FILTER.replace(")", " )")


def drop(field: ModelField, *urls: QUrl, at: QPoint | None = None) -> bool:
    """Drag onto the field and drop; whether it was taken."""
    place = QPointF(at or QPoint(5, 5))
    data = QMimeData()
    data.setUrls(list(urls))
    rest = (data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(place.toPoint(), Qt.DropAction.CopyAction, *rest)
    enter.ignore()
    field.dragEnterEvent(enter)
    if enter.isAccepted():
        field.dropEvent(QDropEvent(place, Qt.DropAction.CopyAction, *rest))
    return bool(enter.isAccepted())


def test_a_file_that_is_dropped_is_chosen(field: ModelField, tmp_path: Path) -> None:
    first, second = (QUrl.fromLocalFile(str(tmp_path / name)) for name in ("a.onnx", "b.onnx"))
    assert drop(field, first)
    assert field.value == str(tmp_path / "a.onnx")
    assert not drop(field, first, second)
    assert not drop(field, QUrl("https://example.org/b.onnx"))
    assert field.value == str(tmp_path / "a.onnx")


def test_a_model_for_each_channel(field: ModelField, qtbot: QtBot) -> None:
    assert not field.channels.isVisible()
    field.set_channels(2)
    assert field.channels.isVisible()
    assert field.of_channels == ()
    field.value = "/m/first.pt"
    with qtbot.waitSignal(field.changed):
        qtbot.mouseClick(field.channels.box.native, Qt.MouseButton.LeftButton, pos=INSIDE)
    assert field.of_channels == ((0, "/m/first.pt"), (1, "/m/first.pt"))
    assert not field.main.combo.isVisible()
    one, two = field.channels.choosers
    with qtbot.waitSignal(field.changed):
        two.value = BUILTIN
    assert field.of_channels == ((0, "/m/first.pt"), (1, BUILTIN))
    one.value = ""
    assert field.of_channels == ((1, BUILTIN),)
    two.value = ""
    assert field.problem == "Choose a model for a channel: none is denoised"
    assert field.message.isVisible()
    assert (field.message.message, field.message.level) == (field.problem, "error")
    assert (marked(one), marked(two)) == (True, True)
    field.report("")
    assert field.message.message == field.problem
    field.set_channels(1)
    assert field.of_channels == ()
    assert field.problem == ""
    assert field.message.isHidden()
    assert field.main.combo.isVisible()


def marked(chooser: ModelChooser) -> bool:
    return bool(chooser.combo.property("wrong") == "true")


def test_only_the_channel_that_a_problem_names_is_marked(field: ModelField) -> None:
    field.set_channels(3)
    field.channels.box.value = True
    one, two, three = field.channels.choosers
    one.value = three.value = ""
    two.choose("/m/bad.pt")
    field.report("channel 1: bad.pt cannot be loaded: it is empty. Check it")
    assert [marked(chooser) for chooser in (one, two, three)] == [False, True, False]
    three.choose("/m/bad.pt")
    field.report("channel 1: bad.pt cannot be loaded: it is empty. Check it")
    assert [marked(chooser) for chooser in (one, two, three)] == [False, True, True]
    field.report("there is no memory")
    assert all(map(marked, (one, two, three)))
    one.value = BUILTIN
    assert not any(map(marked, (one, two, three)))


def test_channels_of_another_image_begin_anew(field: ModelField) -> None:
    first, second = object(), object()
    field.set_channels(2, [first])
    field.channels.box.value = True
    field.channels.choosers[1].value = ""
    field.set_channels(2, [first])
    assert field.of_channels == ((0, BUILTIN),)
    field.set_channels(2, [second])
    assert field.of_channels == ()
    assert not field.channels.choosers[0].combo.isVisible()
    field.value = "/m/x.pt"
    field.channels.box.value = True
    assert field.of_channels == ((0, "/m/x.pt"), (1, "/m/x.pt"))


def test_a_file_is_dropped_on_the_channel_it_is_for(
    field: ModelField, qtbot: QtBot, tmp_path: Path
) -> None:
    file = QUrl.fromLocalFile(str(tmp_path / "a.onnx"))
    field.set_channels(2)
    field.channels.box.value = True
    combo = field.channels.choosers[1].combo
    qtbot.waitUntil(lambda: combo.y() > field.channels.choosers[0].combo.y())
    with qtbot.waitSignal(field.changed):
        assert drop(field, file, at=combo.mapTo(field, combo.rect().center()))
    assert field.of_channels == ((0, BUILTIN), (1, str(tmp_path / "a.onnx")))
    assert drop(field, file, at=field.channels.box.native.mapTo(field, QPoint(3, 3)))
    assert field.of_channels == ((0, BUILTIN), (1, str(tmp_path / "a.onnx")))
    assert field.message.message == "Drop the file on the chooser of its channel"


def test_the_tab_key_goes_through_the_channels_from_the_box_on(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    layout = QVBoxLayout(window)
    field, after = ModelField(), QLineEdit()
    layout.addWidget(field)
    layout.addWidget(after)
    window.show()
    field.set_channels(2)
    field.channels.box.value = True
    one, two = (chooser.combo for chooser in field.channels.choosers)
    window.activateWindow()
    field.channels.box.native.setFocus()
    for wanted in (one, two, after):
        focused = window.focusWidget()
        assert focused is not None
        qtbot.keyClick(focused, Qt.Key.Key_Tab)
        assert window.focusWidget() is wanted


def test_a_file_for_one_channel(field: ModelField, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    field.set_channels(2)
    field.channels.box.value = True
    chooser = field.channels.choosers[1]
    chooser.value = OTHER
    assert chooser.model == BUILTIN
    dialog = field.window().findChild(QFileDialog)
    assert dialog is not None
    with qtbot.waitSignal(field.changed):
        dialog.fileSelected.emit(str(path))
    dialog.reject()
    assert field.of_channels == ((0, BUILTIN), (1, str(path)))
    field.reset()
    assert field.of_channels == ()


def test_what_is_known_is_asked_for_when_somebody_wants_to_see_it(
    field: ModelField, qtbot: QtBot
) -> None:
    assert not field.reading_is_wanted
    with qtbot.waitSignal(field.reading_wanted):
        qtbot.mouseClick(field.about_button, Qt.MouseButton.LeftButton)
    model = load_model(Blur(), device="cpu")
    choice = ModelChoice(BUILTIN)
    field.show_reading(ModelReading(choice))
    assert field.about.state.message == "Reading the model…"
    field.show_reading(ModelReading(choice, replace(model.info, warnings=("it is old",))))
    assert field.about.isVisible()
    assert ("Looks", "1 px around each pixel") in field.about.lines
    assert (field.warnings.message, field.warnings.level) == ("it is old", "warning")
    field.show_reading(ModelReading(choice, problem="patch 3 does not fit"))
    assert field.message.message == "tile 3 does not fit"
    assert field.about.isHidden()
    assert field.about.lines == []
    with qtbot.waitSignal(field.reading_wanted):
        field.value = "/m/other.pt"
    assert field.warnings.isHidden()


def test_models_that_are_gone_are_greyed_until_they_are_forgotten(
    field: ModelField, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_TESSERA_STATE", str(tmp_path / "state"))
    here, gone = tmp_path / "here.pt", tmp_path / "gone.pt"
    for path in (here, gone):
        path.touch()
        remember_model(path)
    gone.unlink()
    with qtbot.waitSignal(field.known.changed):
        field.known.find()
    combo = field.main.combo
    assert names(field)[-1] == "Forget 1 not there any more"
    listed = {combo.itemText(i): i for i in range(combo.count())}
    items = combo.model()
    assert items is not None
    can_be_chosen = {
        name: bool(items.index(i, 0).flags() & Qt.ItemFlag.ItemIsEnabled)
        for name, i in listed.items()
    }
    assert (can_be_chosen["here.pt"], can_be_chosen["gone.pt"]) == (True, False)
    tip = combo.itemData(listed["gone.pt"], Qt.ItemDataRole.ToolTipRole)
    assert tip == f"not there any more: {gone}"
    # the arrow keys pass over it
    combo.setFocus()
    for _ in range(combo.count()):
        qtbot.keyClick(combo, Qt.Key.Key_Down)
        if combo.currentText() == "here.pt":
            break
        assert combo.currentText() != "gone.pt"
    assert field.value == str(here)
    combo.setCurrentIndex(listed["Forget 1 not there any more"])
    assert field.value == str(here)
    assert not {"gone.pt", "Forget 1 not there any more"} & {*names(field)}
    qtbot.waitUntil(lambda: str(gone) not in recent_models(missing=True))
    assert str(here) in recent_models()
