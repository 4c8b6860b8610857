"""What is saved of layers: pixels, axes, names and plans, in either format."""

from __future__ import annotations

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
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtWidgets import (
    QProgressDialog,
)
from tests.widgets.layer_writers.hands import (
    CHECKS,
    ENDINGS,
    PLUGIN,
    RNG,
    Hands,
    made_image,
    read_back,
    save_selected,
)

from napari_tessera.widgets import save_wait
from napari_tessera.widgets.layer_writers import NotSaved, write_layers
from napari_tessera.widgets.output_layer import GUIDE_KEY, PLAN_KEY
from napari_tessera.writing.files.formats import OME_ZARR, format_of
from napari_tessera.writing.stored.stored_run import read_unfinished


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
