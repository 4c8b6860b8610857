from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import dask.array as da
import napari
import numpy as np
import pytest
import tifffile
import zarr
from napari._app_model import get_app_model
from napari.components import ViewerModel
from napari.layers import Image
from npe2 import PluginManager
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QMessageBox,
    QProgressDialog,
    QPushButton,
)
from tests.widgets.conftest import Blur, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import predict_to_disk
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets import save_wait
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.layer_writers import NotSaved, write_layers
from napari_tessera.widgets.output_layer import GUIDE_KEY, PLAN_KEY
from napari_tessera.writing.files.formats import OME_ZARR, format_of
from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.stored.stored_run import read_unfinished

PLUGIN = "napari-tessera"
LOOKS = 200
"""How often a dialog is looked at, every 20 ms, before it counts as one that nobody expected."""

ENDINGS = (".ome.zarr", ".ome.tif")
RNG = np.random.default_rng(0)


class Hands:
    """Answers dialogs as a person does, one after another; keeps what they said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._waited = 0
        self._todo: list[Callable[[Any], bool]] = []
        self._timer = QTimer(QApplication.instance())
        self._timer.timeout.connect(self._look)
        self._timer.start(20)

    def type_name(self, name: str, kind: str) -> None:
        """Type a name in the file dialog, choose a kind of file, and press Save."""

        def do(dialog: Any) -> bool:
            if not isinstance(dialog, QFileDialog):
                return False
            kinds = dialog.findChild(QComboBox, "fileTypeCombo")
            at = next(n for n in range(kinds.count()) if kinds.itemText(n).startswith(kind))
            kinds.setCurrentIndex(at)
            kinds.activated.emit(at)
            dialog.setDirectory(str(Path(name).parent))
            dialog.findChild(QLineEdit, "fileNameEdit").setText(Path(name).name)
            self._press_save(dialog)
            return True

        self._todo.append(do)

    def press_save_again(self) -> None:
        """Press Save in a file dialog that went into a folder instead."""

        def do(dialog: Any) -> bool:
            if not isinstance(dialog, QFileDialog):
                return False
            self.said.append(f"in {Path(dialog.directory().path()).name}")
            self._press_save(dialog)
            return True

        self._todo.append(do)

    def press(
        self,
        button: str,
        kind: type = QMessageBox,
        when: Callable[[], bool] = lambda: True,
    ) -> None:
        """Press a button of a question, or of another kind of dialog."""

        def do(dialog: Any) -> bool:
            if not isinstance(dialog, kind) or not when():
                return False
            self.said.append(dialog.text() if isinstance(dialog, QMessageBox) else "")
            buttons = {one.text().replace("&", ""): one for one in dialog.findChildren(QPushButton)}
            QTimer.singleShot(0, buttons[button].click)
            return True

        self._todo.append(do)

    def then(self, act: Callable[[], None]) -> None:
        """Do something a while after the last answer."""

        def do(_: Any) -> bool:
            act()
            return True

        self._todo.append(do)

    def _press_save(self, dialog: QFileDialog) -> None:
        save = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Save)
        # the click ends only when all that follows from it is answered
        QTimer.singleShot(0, save.click)

    def _look(self) -> None:
        dialog = QApplication.activeModalWidget()
        self._waited = 0 if dialog is None else self._waited + 1
        if self._todo and self._todo[0](dialog):
            self._todo.pop(0)
            self._waited = 0
        elif self._waited > LOOKS:
            self.said.append("nobody expected this")
            dialog.reject()

    def stop(self) -> None:
        self._timer.stop()
        assert not self._todo, "a dialog did not come"


@pytest.fixture(autouse=True)
def _plugins() -> None:
    """Find plugins, as opening a window does."""
    manager = PluginManager.instance()
    if PLUGIN not in manager:
        manager.discover()


@pytest.fixture
def hands(qtbot: Any) -> Any:
    found = Hands()
    yield found
    found.stop()


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    return make_napari_viewer(show=True)


def save_selected() -> None:
    """File → Save Selected Layers."""
    name = "napari.window.file.save_layers_dialog.selected"
    get_app_model().commands.execute_command(name).result()


def made_image(**given: Any) -> Image:
    data = RNG.integers(0, 4000, (30, 40)).astype(np.uint16)
    return Image(
        **{
            "data": data,
            "name": "cells",
            "scale": (0.5, 0.25),
            "translate": (7, -8),
            "units": ("um", "um"),
            "axis_labels": ("y", "x"),
            "contrast_limits": (100, 3000),
            **given,
        }
    )


def contents(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def check_zarr(path: Path, layer: Image) -> None:
    group = zarr.open_group(path, mode="r")
    ome: Any = group.attrs["ome"]
    multiscale = ome["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == ["y", "x"]
    assert [axis["unit"] for axis in multiscale["axes"]] == ["micrometer"] * 2
    assert multiscale["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [0.5, 0.25]},
        {"type": "translation", "translation": [7, -8]},
    ]
    (channel,) = ome["omero"]["channels"]
    assert channel["label"] == layer.name
    window = channel["window"]
    assert (window["start"], window["end"]) == (100, 3000)
    np.testing.assert_array_equal(group["0"][...], layer.data)


def check_tiff(path: Path, layer: Image) -> None:
    with tifffile.TiffFile(path) as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"]) == (0.5, 0.25)
        assert pixels["PhysicalSizeXUnit"] == "µm"
        assert pixels["Channel"]["Name"] == layer.name
        np.testing.assert_array_equal(tiff.asarray(), layer.data)


CHECKS = {".ome.zarr": check_zarr, ".ome.tif": check_tiff}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("typed", ["with ending", "without"])
def test_file_save_selected_layers_offers_it(
    viewer: Any, hands: Hands, tmp_path: Path, ending: str, typed: str
) -> None:
    layer = viewer.add_layer(made_image())
    kind = "Tessera OME-Zarr" if ending == ".ome.zarr" else "Tessera OME-TIFF"
    hands.type_name(str(tmp_path / ("saved" + (ending if typed == "with ending" else ""))), kind)
    save_selected()
    CHECKS[ending](tmp_path / f"saved{ending}", layer)
    assert [path.name for path in tmp_path.iterdir()] == [f"saved{ending}"]


def test_a_file_that_napari_asked_about_is_replaced_without_asking_twice(
    viewer: Any, hands: Hands, tmp_path: Path
) -> None:
    layer = viewer.add_layer(made_image())
    (tmp_path / "a.ome.tif").write_bytes(b"old")
    hands.type_name(str(tmp_path / "a.ome.tif"), "Tessera OME-TIFF")
    hands.press("Yes")
    save_selected()
    check_tiff(tmp_path / "a.ome.tif", layer)
    assert len(hands.said) == 1
    assert "already exists" in hands.said[0]


def test_a_file_whose_ending_was_not_typed_is_asked_about(
    viewer: Any, hands: Hands, tmp_path: Path
) -> None:
    viewer.add_layer(made_image())
    (tmp_path / "a.ome.tif").write_bytes(b"old")
    hands.type_name(str(tmp_path / "a"), "Tessera OME-TIFF")
    hands.press("Cancel")
    with pytest.raises(NotSaved, match=r"a\.ome\.tif was left as it is"):
        save_selected()
    assert hands.said == ["a.ome.tif exists."]
    assert (tmp_path / "a.ome.tif").read_bytes() == b"old"


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_only_guides_the_eye_is_no_layer_to_save(
    viewer: Any, tmp_path: Path, ending: str
) -> None:
    layer = viewer.add_layer(made_image())
    guide = viewer.add_surface((np.eye(3)[:, :2], np.array([[0, 1, 2]])), name="Tiles")
    guide.metadata[GUIDE_KEY] = True
    path = tmp_path / f"all{ending}"
    assert viewer.layers.save(str(path)) == [str(path)]
    CHECKS[ending](path, layer)
    guide.metadata.clear()
    with pytest.raises(NotSaved, match="'Tiles' holds surface: only image layers are saved"):
        viewer.layers.save(str(tmp_path / f"more{ending}"))


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """A store with a stopped run of ours."""
    path, image, stop = tmp_path / "run.ome.zarr", noisy((256, 256)), Event()

    def stop_soon(state: Any) -> None:
        if state.done >= 2:
            stop.set()

    model = load_model(Blur(), device="cpu")
    settings: dict[str, Any] = {"patch_size": 64, "overlaps": 8, "batch_size": 1}
    stack = ArrayStack(image, "YX")
    predict_to_disk(stack, model, path, cancel=stop, progress=stop_soon, **settings)
    stored = read_unfinished(path)
    assert stored is not None
    assert 0 < len(stored.done) < stored.total_tiles
    return path


@pytest.mark.parametrize("typed", ["run", "run.ome.zarr"])
def test_an_unfinished_run_can_be_continued_in_the_dock(
    viewer: Any, hands: Hands, unfinished: Path, typed: str
) -> None:
    viewer.add_layer(made_image())
    before = contents(unfinished)
    hands.type_name(str(unfinished.with_name(typed)), "Tessera OME-Zarr")
    if typed == unfinished.name:
        # the dialog goes into the folder, as into any that exists
        hands.press_save_again()
    hands.press("Continue")
    save_selected()
    *went_in, question = hands.said
    assert went_in == (["in run.ome.zarr"] if typed == unfinished.name else [])
    assert question.startswith("run.ome.zarr holds an unfinished denoising: ")
    assert contents(unfinished) == before
    # this window's, where one of an earlier window is still to be deleted
    (dock,) = viewer.window.dock_widgets.values()
    assert isinstance(dock, DenoiseDock)
    path = dock.settings.save.path
    dock.shut_down()
    assert path == unfinished


def test_an_unfinished_run_is_overwritten_only_when_told_so(
    viewer: Any, hands: Hands, unfinished: Path
) -> None:
    layer = viewer.add_layer(made_image())
    before = contents(unfinished)
    hands.press("Cancel")
    with pytest.raises(NotSaved, match=r"run\.ome\.zarr was left as it is: nothing was saved"):
        layer.save(str(unfinished))
    assert contents(unfinished) == before
    hands.press("Overwrite")
    assert layer.save(str(unfinished)) == [str(unfinished)]
    check_zarr(unfinished, layer)
    assert not list(unfinished.parent.glob(".*"))


def test_a_run_that_is_going_on_is_not_overwritten(
    viewer: Any, hands: Hands, unfinished: Path
) -> None:
    layer = viewer.add_layer(made_image())
    before = contents(unfinished)
    hands.press("Overwrite")
    with lock_store(unfinished), pytest.raises(StoreBusyError, match="is being written"):
        layer.save(str(unfinished))
    assert contents(unfinished) == before


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_script_that_saves_over_something_is_asked(
    viewer: Any, hands: Hands, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"a{ending}"
    made_image(data=np.zeros((30, 40), np.uint16)).save(str(path))
    before = contents(path)
    layer = viewer.add_layer(made_image())
    hands.press("Cancel")
    with pytest.raises(NotSaved):
        viewer.layers.save(str(path), selected=True, plugin=PLUGIN)
    assert contents(path) == before
    hands.press("Overwrite")
    saved = viewer.layers.save(str(path), selected=True, plugin=PLUGIN)
    assert saved == [str(path)]
    assert hands.said == [f"a{ending} exists."] * 2
    CHECKS[ending](path, layer)


@pytest.mark.parametrize("ending", ENDINGS)
def test_where_nobody_can_be_asked_nothing_is_replaced(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    layer = made_image()
    assert layer.save(str(path)) == [str(path)]
    before = contents(path)
    with pytest.raises(FileExistsError, match="exists: delete it first, or choose another name"):
        layer.save(str(path))
    assert contents(path) == before


def test_what_is_no_single_image_is_never_replaced(
    viewer: Any, hands: Hands, tmp_path: Path
) -> None:
    layer = viewer.add_layer(made_image())
    path = tmp_path / "a.ome.zarr"
    layer.save(str(path))
    zarr.open_group(path, mode="r+").create_group("labels")
    (tmp_path / "b.ome.zarr").mkdir()
    (tmp_path / "b.ome.zarr" / "thesis.docx").write_text("years")
    (tmp_path / "c.ome.tif" / "more").mkdir(parents=True)
    before = contents(tmp_path)
    for name, why in (
        ("a.ome.zarr", "it holds more than an image: labels"),
        ("b.ome.zarr", "it is no Zarr store"),
        ("c.ome.tif", "it is no file"),
    ):
        with pytest.raises(FileExistsError, match=f"exists, and {why}, so it is never replaced"):
            layer.save(str(tmp_path / name))
    assert contents(tmp_path) == before


def test_what_a_layer_is_read_from_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    layer = made_image()
    layer.save(str(path))
    before = contents(path)
    lazy = [da.from_zarr(zarr.open_array(path / "0", mode="r"))]
    for data in (lazy[0], [lazy[0], lazy[0][::2, ::2]]):
        again = Image(data, name="lazy", contrast_limits=(0, 1))
        with pytest.raises(NotSaved, match="holds the input, which is never changed"):
            again.save(str(path))
    assert contents(path) == before


KINDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "numpy": lambda data: {"data": data},
    "big-endian": lambda data: {"data": data.astype(data.dtype.newbyteorder(">"))},
    "dask": lambda data: {"data": da.from_array(data, chunks=(1, 17, 23))},
    "zarr": lambda data: {"data": zarr.create_array({}, data=data, chunks=(2, 16, 16))},
    "multiscale": lambda data: {"data": [data, data[:, ::2, ::2]], "multiscale": True},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_any_kind_of_array_is_saved(tmp_path: Path, kind: str, ending: str) -> None:
    data = RNG.integers(0, 60000, (7, 50, 60)).astype(np.uint16)
    layer = Image(
        **KINDS[kind](data),
        name="a",
        scale=(2, 0.5, 0.5),
        units=("um", "um", "um"),
        contrast_limits=(0, 1),
    )
    layer.save(str(tmp_path / f"a{ending}"))
    read = read_back(tmp_path / f"a{ending}")
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, data)


def read_back(path: Path) -> Any:
    if path.is_dir():
        return zarr.open_array(path / "0", mode="r")[...]
    return tifffile.imread(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_layers_of_one_shape_become_channels(tmp_path: Path, ending: str) -> None:
    model = ViewerModel()
    layers = [
        model.add_layer(made_image(data=RNG.integers(0, 99, (30, 40)).astype("u1"), name=name))
        for name in ("DAPI", "GFP", "mCherry")
    ]
    layers[1].colormap = "green"
    layers[2].visible = False
    path = tmp_path / f"a{ending}"
    assert model.layers.save(str(path), plugin=PLUGIN) == [str(path)]
    np.testing.assert_array_equal(read_back(path), np.stack([layer.data for layer in layers]))
    if ending == ".ome.tif":
        with tifffile.TiffFile(path) as tiff:
            pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert [channel["Name"] for channel in pixels["Channel"]] == ["DAPI", "GFP", "mCherry"]
        assert pixels["SizeC"] == 3
        return
    channels = zarr.open_group(path, mode="r").attrs["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["DAPI", "GFP", "mCherry"]
    assert [channel["color"] for channel in channels] == ["FFFFFF", "00FF00", "FFFFFF"]
    assert [channel["active"] for channel in channels] == [True, True, False]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("n", [3, 4])
def test_colours_are_saved_as_channels(tmp_path: Path, ending: str, n: int) -> None:
    data = RNG.integers(0, 255, (5, 30, 40, n)).astype(np.uint8)
    Image(data, rgb=True, name="a").save(str(tmp_path / f"a{ending}"))
    read = read_back(tmp_path / f"a{ending}")
    # Z, or T as the guess has it, and the colours are in OME's order: T, C, Z, Y, X
    expected = np.moveaxis(data, -1, 0)
    np.testing.assert_array_equal(read, expected if read.shape[0] == n else expected.swapaxes(0, 1))


def test_what_differs_is_refused_in_one_line(tmp_path: Path) -> None:
    model = ViewerModel()
    model.add_layer(made_image(name="a"))
    model.add_layer(made_image(name="b", scale=(1, 1)))
    with pytest.raises(NotSaved, match="layers 'a' and 'b' cannot be channels") as caught:
        model.layers.save(str(tmp_path / "a.ome.zarr"), plugin=PLUGIN)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_type_that_the_format_lacks_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    layer = made_image(data=np.zeros((30, 40), np.int64))
    with pytest.raises(NotSaved, match="OME-TIFF holds no int64"):
        layer.save(str(tmp_path / "a.ome.tif"))
    layer.save(str(tmp_path / "a.ome.zarr"))
    assert read_back(tmp_path / "a.ome.zarr").dtype == np.int64


def test_an_ending_of_another_format_is_refused(viewer: Any, hands: Hands, tmp_path: Path) -> None:
    viewer.add_layer(made_image())
    hands.type_name(str(tmp_path / "a.ome.zarr"), "Tessera OME-TIFF")
    with pytest.raises(NotSaved, match=r"this is no ending of OME-TIFF; use \.ome\.tif"):
        save_selected()
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist: create it"):
        made_image().save(str(tmp_path / "no" / "a.ome.zarr"))


def test_names_without_an_ending_stay_napari_s_own(tmp_path: Path) -> None:
    model = ViewerModel()
    model.add_layer(made_image())
    assert model.layers.save(str(tmp_path / "a")) == [str(tmp_path / "a.tif")]
    assert model.layers.save(str(tmp_path / "b.tif")) == [str(tmp_path / "b.tif")]
    saved = model.layers.save(str(tmp_path / "c"), plugin=PLUGIN)
    assert saved == [str(tmp_path / "c.ome.zarr")]


def test_a_rotated_layer_is_saved_and_the_person_told(viewer: Any, tmp_path: Path) -> None:
    told: list[str] = []
    dispatcher = napari.utils.notifications.notification_manager
    dispatcher.notification_ready.connect(lambda event: told.append(event.message))
    layer = viewer.add_layer(made_image(rotate=30))
    layer.save(str(tmp_path / "a.ome.zarr"))
    assert len(told) == 1
    assert "'cells' is rotated, sheared or mirrored" in told[0]
    np.testing.assert_array_equal(read_back(tmp_path / "a.ome.zarr"), layer.data)


def test_the_plan_of_a_denoised_layer_is_kept(tmp_path: Path) -> None:
    layer = made_image(metadata={PLAN_KEY: json.dumps({"patch_size": [64, 64]})})
    layer.save(str(tmp_path / "a.ome.zarr"))
    stored = zarr.open_group(tmp_path / "a.ome.zarr", mode="r").attrs["napari_tessera"]
    assert stored["denoised"] == [{"layer": "cells", "plan": {"patch_size": [64, 64]}}]
    assert read_unfinished(tmp_path / "a.ome.zarr") is None


class Slow:
    """An array that waits while its first block is read, until the test has looked around."""

    shape, dtype, ndim = (9000, 12000), np.dtype(np.uint8), 2

    def __init__(self) -> None:
        self.reached, self.go_on = Event(), Event()
        self.blocks: list[int] = []

    def __getitem__(self, part: Any) -> Any:
        block = np.broadcast_to(np.uint8(7), self.shape)[part]
        self.blocks.append(block.size)
        self.reached.set()
        assert self.go_on.wait(20)
        return block


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_long_save_can_be_cancelled_and_leaves_nothing(
    viewer: Any,
    hands: Hands,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:
    monkeypatch.setattr(save_wait, "PATIENCE_MS", 10)
    slow = Slow()
    data = (slow, {"name": "slow"}, "image")
    hands.press("Cancel", QProgressDialog, when=slow.reached.is_set)
    # the first block is there when Cancel has been pressed
    hands.then(slow.go_on.set)
    with pytest.raises(NotSaved, match=f"saving a{ending} was cancelled: nothing is left of it"):
        write_layers(tmp_path / f"a{ending}", [data], format_of(f"a{ending}"))
    assert len(slow.blocks) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_layer_is_read_a_block_at_a_time(tmp_path: Path, ending: str) -> None:
    slow = Slow()
    slow.go_on.set()
    write_layers(
        tmp_path / f"a{ending}", [(slow, {"name": "slow"}, "image")], format_of(f"a{ending}")
    )
    assert sum(slow.blocks) == 9000 * 12000
    assert max(slow.blocks) <= 2**26


def test_a_failing_read_comes_out_as_itself_and_leaves_nothing(tmp_path: Path) -> None:
    class Torn(Slow):
        def __getitem__(self, part: Any) -> Any:
            raise OSError("the network share is gone")

    with pytest.raises(OSError, match="the network share is gone"):
        write_layers(tmp_path / "a.ome.zarr", [(Torn(), {"name": "a"}, "image")], OME_ZARR)
    assert not list(tmp_path.iterdir())
