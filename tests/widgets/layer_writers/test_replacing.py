"""Saving layers where something is: asked about, continued, or never replaced."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Image
from tests.widgets.conftest import Blur, noisy
from tests.widgets.layer_writers.hands import (
    CHECKS,
    ENDINGS,
    PLUGIN,
    Hands,
    check_tiff,
    check_zarr,
    contents,
    made_image,
    save_selected,
)

from napari_tessera.models import load_model
from napari_tessera.prediction import predict_to_disk
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.layer_writers import NotSaved
from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.stored.stored_run import read_unfinished


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
