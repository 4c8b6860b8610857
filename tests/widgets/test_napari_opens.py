"""What is written, opened in a real window by others' plugins: there is no reader of our own.

napari-ome-zarr 0.10 takes the scale of an image and leaves out its translation.
"""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image
from numpy.typing import NDArray
from tests.widgets.conftest import Blur, Stage

from napari_tessera.metadata import ImageMetadata
from napari_tessera.models import load_model
from napari_tessera.prediction import predict, predict_to_disk
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.request import SaveTarget

# each in a window of its own
pytestmark = pytest.mark.slow

READER = "napari-ome-zarr"
STEPS = {"T": 2.5, "C": 1.0, "Z": 0.9, "Y": 0.3, "X": 0.25}
UNITS = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}
NAMES = ("DAPI", "GFP", "mCherry")
SHAPES = {"T": 2, "C": 3, "Z": 3, "Y": 129, "X": 640}
SETTINGS: dict[str, Any] = {"patch_size": 64, "overlaps": 8}

CASES = (
    ("YX", "0.5"),
    ("CYX", "0.4"),
    ("ZYX", "0.5"),
    ("TCZYX", "0.5"),
    pytest.param("TYX", "0.4", marks=pytest.mark.slow),
    pytest.param("CZYX", "0.4", marks=pytest.mark.slow),
    pytest.param("XZYC", "0.5", marks=pytest.mark.slow),
)


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    return make_napari_viewer(show=True)


def made_stack(axes: str, sizes: dict[str, int] | None = None) -> ArrayStack:
    """Channels that differ, so that none is taken for another."""
    shape = [{**SHAPES, **(sizes or {})}[letter] for letter in axes]
    pixels = np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)
    if "C" in axes:
        at = axes.index("C")
        levels = np.arange(shape[at]).reshape([-1 if a == at else 1 for a in range(len(axes))])
        pixels += np.float32(1000) * levels.astype(np.float32)
    metadata = ImageMetadata(
        axes,
        tuple(STEPS[letter] for letter in axes),
        tuple(UNITS.get(letter) for letter in axes),
        (0.0,) * len(axes),
        NAMES[: shape[axes.index("C")]] if "C" in axes else None,
    )
    return ArrayStack(pixels, axes, metadata=metadata)


def open_in(viewer: Any, path: Path) -> list[Image]:
    layers = viewer.open(str(path), plugin=READER)
    assert all(isinstance(layer, Image) for layer in layers)
    return sorted(layers, key=lambda layer: str(layer.name))


def in_ome_order(pixels: NDArray[Any], axes: str) -> NDArray[Any]:
    return pixels.transpose([axes.index(letter) for letter in "TCZYX" if letter in axes])


@pytest.mark.parametrize(("axes", "version"), CASES)
def test_an_image_opens_with_its_scale_units_names_and_levels(
    viewer: Any, tmp_path: Path, axes: str, version: str
) -> None:
    stack, model = made_stack(axes), load_model(Blur(), device="cpu")
    path = predict_to_disk(
        stack, model, tmp_path / "cells.ome.zarr", ome_version=version, **SETTINGS
    )
    expected = in_ome_order(predict(stack, model, **SETTINGS), axes)
    letters = [letter for letter in "TCZYX" if letter in axes]
    layers = open_in(viewer, path)
    if "C" in letters:
        assert [layer.name for layer in layers] == [f"cells: {name}" for name in NAMES]
        images = list(np.moveaxis(expected, letters.index("C"), 0))
        letters.remove("C")
    else:
        (layer,) = layers
        assert layer.name.startswith("cells")
        images = [expected]
    for layer, image in zip(layers, images, strict=True):
        assert layer.scale == pytest.approx([STEPS[letter] for letter in letters])
        assert [str(unit) for unit in layer.units] == [UNITS[letter] for letter in letters]
        assert layer.axis_labels == tuple(letter.lower() for letter in letters)
        low, high = layer.contrast_limits
        assert np.nanmin(image) <= low < high <= np.nanmax(image)
        assert layer.multiscale
        assert [level.shape[-2:] for level in layer.data] == [(129, 640), (65, 320)]
        np.testing.assert_array_equal(np.asarray(layer.data[0]), image)
        # the same place in the world, whichever level is shown
        assert layer.downsample_factors[1][-1] == 2


@pytest.mark.slow
def test_an_image_in_shards_opens(viewer: Any, tmp_path: Path) -> None:
    stack = made_stack("YX", {"Y": 1040, "X": 1030})
    path = predict_to_disk(
        stack, Blur(), tmp_path / "a.ome.zarr", chunks=(16, 16), patch_size=256, overlaps=8
    )
    level = zarr.open_array(path / "0", mode="r")
    assert level.shards is not None
    (layer,) = open_in(viewer, path)
    part = slice(500, 600)
    np.testing.assert_array_equal(np.asarray(layer.data[0][part, part]), level[part, part])


@pytest.mark.parametrize(
    ("axes", "version", "dtype"),
    [
        ("YX", "0.5", "float32"),
        ("YX", "0.4", "uint16"),
        ("TCZYX", "0.4", "float32"),
        ("TCZYX", "0.5", "uint16"),
    ],
)
def test_a_stopped_run_opens(
    viewer: Any, tmp_path: Path, axes: str, version: str, dtype: str
) -> None:
    stop = Event()

    def stop_soon(state: Any) -> None:
        if state.done >= 5:
            stop.set()

    path = predict_to_disk(
        made_stack(axes),
        Blur(),
        tmp_path / "cells.ome.zarr",
        ome_version=version,
        output_dtype=dtype,
        batch_size=1,
        cancel=stop,
        progress=stop_soon,
        **SETTINGS,
    )
    layers = open_in(viewer, path)
    assert len(layers) == (3 if "C" in axes else 1)
    letters = [letter for letter in "TZYX" if letter in axes]
    for layer in layers:
        assert layer.scale == pytest.approx([STEPS[letter] for letter in letters])
        low, high = layer.contrast_limits
        assert np.isfinite([low, high]).all()
    if "C" in axes:
        assert [layer.name for layer in layers] == [f"cells: {name}" for name in NAMES]
    level_0 = np.asarray(layers[0].data[0])
    done = np.isfinite(level_0) if dtype == "float32" else level_0 > 0
    assert 0 < done.mean() < 1
    # what is done is seen at every zoom
    smallest = np.asarray(layers[0].data[-1])
    assert (np.isfinite(smallest) if dtype == "float32" else smallest > 0).any()


@pytest.mark.parametrize("version", ["two layers", "RGB"])
def test_layers_that_were_saved_open_as_they_looked(
    viewer: Any, tmp_path: Path, version: str
) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "saved.ome.zarr"
    placed: dict[str, Any] = {"scale": (0.5, 0.25), "units": ("um", "um")}
    if version == "RGB":
        data = rng.integers(0, 255, (60, 70, 3)).astype(np.uint8)
        viewer.add_image(data, rgb=True, **placed)
        looks = {
            "saved: Blue": ("blue", [0, 255], True),
            "saved: Green": ("green", [0, 255], True),
            "saved: Red": ("red", [0, 255], True),
        }
    else:
        data = rng.integers(0, 4000, (60, 70, 2)).astype(np.uint16)
        for at, (name, colour) in enumerate((("a", "magenta"), ("b", "cyan"))):
            viewer.add_image(
                data[..., at], name=name, colormap=colour, contrast_limits=(at, 3000), **placed
            )
        viewer.layers["b"].visible = False
        looks = {
            "saved: a": ("magenta", [0, 3000], True),
            "saved: b": ("cyan", [1, 3000], False),
        }
    assert viewer.layers.save(str(path), plugin="napari-tessera") == [str(path)]
    viewer.layers.clear()
    layers = open_in(viewer, path)
    found = {one.name: (one.colormap.name, one.contrast_limits, one.visible) for one in layers}
    assert found == looks
    for layer in layers:
        assert layer.scale == pytest.approx((0.5, 0.25))
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
    order = [0, 1] if version == "two layers" else [2, 1, 0]
    for layer, channel in zip(layers, order, strict=True):
        np.testing.assert_array_equal(np.asarray(layer.data), data[..., channel])


@pytest.mark.parametrize("kind", ["grey levels", "RGB"])
def test_results_that_the_dock_saved_open_as_they_looked(
    stage: Stage, tmp_path: Path, kind: str
) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "saved.ome.zarr"
    if kind == "RGB":
        data = rng.integers(0, 255, (60, 70, 3)).astype(np.uint8)
        layer = stage.viewer.add_image(data, rgb=True, name="slide")
        looks = {
            "saved: Blue": ("blue", [0, 255], True),
            "saved: Green": ("green", [0, 255], True),
            "saved: Red": ("red", [0, 255], True),
        }
    else:
        data = rng.integers(0, 4000, (60, 70)).astype(np.uint16)
        look = {"colormap": "magenta", "contrast_limits": (100, 3000)}
        layer = stage.viewer.add_image(data, name="GFP", **look)
        looks = {"saved: GFP_denoised": ("magenta", [100, 3000], True)}
    stage.run(layer, save=SaveTarget(path))
    stage.viewer.layers.clear()
    layers = open_in(stage.viewer, path)
    found = {one.name: (one.colormap.name, one.contrast_limits, one.visible) for one in layers}
    assert found == looks


# napari-tiff leaves the file open as long as its layers live
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("axes", ["YX", "TCZYX"])
@pytest.mark.parametrize("reader", ["napari-tiff", "napari"])
def test_an_ome_tiff_opens(viewer: Any, tmp_path: Path, axes: str, reader: str) -> None:
    stack, model = made_stack(axes), load_model(Blur(), device="cpu")
    path = predict_to_disk(stack, model, tmp_path / "cells.ome.tif", **SETTINGS)
    expected = predict(stack, model, **SETTINGS)
    layers = viewer.open(str(path), plugin=reader)
    if reader == "napari":
        # pixels are all that its own reader takes from a TIFF
        (layer,) = layers
        order = [axes.index(letter) for letter in "TZCYX" if letter in axes]
        np.testing.assert_array_equal(np.asarray(layer.data), expected.transpose(order))
        return
    letters = [letter for letter in "TZYX" if letter in axes]
    assert len(layers) == (3 if "C" in axes else 1)
    for channel, layer in enumerate(layers):
        assert layer.scale == pytest.approx([STEPS[letter] for letter in letters])
        assert [str(unit) for unit in layer.units] == [UNITS[letter] for letter in letters]
        assert [level.shape[-2:] for level in layer.data] == [(129, 640), (65, 320)]
        image = expected if "C" not in axes else expected.take(channel, axes.index("C"))
        np.testing.assert_array_equal(np.asarray(layer.data[0]), image)
    if "C" in axes:
        assert [layer.name for layer in layers] == list(NAMES)
