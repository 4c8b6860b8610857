from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QSettings, Qt
from qtpy.QtWidgets import QFileDialog

from napari_tessera.widgets.fields.model import BUILTIN, ModelField
from napari_tessera.widgets.fields.recent import recent_models, remember_model
from napari_tessera.widgets.request import RunRequest


@pytest.fixture
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the plugin in a folder of the test."""
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "napari.yaml"))
    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "settings")
    )


@pytest.fixture
def field(qtbot: QtBot) -> ModelField:
    field = ModelField()
    qtbot.addWidget(field)
    field.show()
    return field


def names(field: ModelField) -> list[str]:
    combo = field.main.combo
    return [combo.itemText(i) for i in range(combo.count())]


def test_the_built_in_model_says_what_it_is_not(field: ModelField) -> None:
    assert field.value == BUILTIN
    assert names(field) == ["Built-in 2D (no training)"]
    assert field.main.combo.toolTip() == "Not trained on your sample."


def test_a_file_is_offered_by_its_name(field: ModelField, qtbot: QtBot) -> None:
    with qtbot.waitSignal(field.changed):
        field.value = Path("/data/a/model.pt")
    assert field.value == str(Path("/data/a/model.pt"))
    assert names(field) == ["Built-in 2D (no training)", "model.pt"]
    assert field.main.combo.toolTip() == str(Path("/data/a/model.pt"))


def test_files_of_the_same_name_are_told_apart(field: ModelField) -> None:
    field.value = Path("/data/a/model.pt")
    field.value = Path("/data/b/model.pt")
    folders = [str(Path("/data/b")), str(Path("/data/a"))]
    assert names(field)[1:] == [f"model.pt ({folder})" for folder in folders]


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


@pytest.mark.usefixtures("remembered")
def test_a_model_that_was_loaded_is_remembered(qtbot: QtBot) -> None:
    field = ModelField()
    qtbot.addWidget(field)
    field.value = "/data/model.pt"
    assert recent_models() == []
    field.keep(RunRequest((), field.value))
    field.keep(RunRequest((), BUILTIN))
    assert recent_models() == ["/data/model.pt"]
    later = ModelField()
    qtbot.addWidget(later)
    assert names(later)[1:] == ["model.pt"]
    assert later.value == BUILTIN


@pytest.mark.usefixtures("remembered")
def test_the_newest_comes_first_and_the_oldest_goes() -> None:
    for number in range(12):
        remember_model(f"{number}.pt")
    remember_model("9.pt")
    assert recent_models()[:3] == ["9.pt", "11.pt", "10.pt"]
    assert len(recent_models()) == 8


def test_where_napari_keeps_no_settings_we_keep_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_CONFIG", "")
    remember_model("a.pt")
    assert recent_models() == []


@pytest.mark.usefixtures("remembered")
@pytest.mark.parametrize("text", ["{", "3", '{"a": 1}'])
def test_damaged_settings_are_no_models(text: str) -> None:
    settings = QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-tessera", "dock"
    )
    settings.setValue("recent_models", text)
    settings.sync()
    assert recent_models() == []
