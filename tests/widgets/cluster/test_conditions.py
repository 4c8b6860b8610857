"""What a cluster needs is told beside the field that lacks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Image
from napari.layers._source import layer_source
from tests.widgets.conftest import Blur, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import PlanError, plan_prediction
from napari_tessera.widgets.cluster.conditions import check_image, check_pixels, check_settings
from napari_tessera.widgets.layer_source import open_layer
from napari_tessera.widgets.request import EVERYTHING, RunRequest, SaveTarget

LAYER = Image(np.zeros((4, 4)))


def asked(path: str | None = "o.ome.zarr", **settings: Any) -> RunRequest:
    save = None if path is None else SaveTarget(Path(path))
    return RunRequest((LAYER,), area=EVERYTHING, save=save, cluster="tcp://h:1", **settings)


def refused(request: RunRequest) -> PlanError:
    with pytest.raises(PlanError) as error:
        check_settings(request)
    assert "\n" not in str(error.value)
    return error.value


def test_what_suits_workers_is_taken() -> None:
    check_settings(asked())
    check_settings(asked(channel_models=((0, "a.pt"), (1, Path("b.pt")))))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (None, r"choose where to save, as OME-Zarr \(NAME.ome.zarr\)"),
        ("o.npy", "o.npy is written when all is done, by one process"),
        ("o.ome.tif", "o.ome.tif is written when all is done, by one process"),
        ("o.ome.zarr.zip", "choose o.ome.zarr"),
    ],
)
def test_where_workers_cannot_save_is_told_at_saving(path: str | None, told: str) -> None:
    error = refused(asked(path))
    assert error.field == "save"
    with pytest.raises(PlanError, match=told):
        check_settings(asked(path))


@pytest.mark.parametrize("settings", [{"model": Blur()}, {"channel_models": ((1, Blur()),)}])
def test_a_model_that_is_no_file_is_told_at_the_model(settings: dict[str, Any]) -> None:
    error = refused(asked(**settings))
    assert error.field == "model"
    assert "save it, and choose that file" in str(error)


def test_an_image_in_memory_is_told_at_the_image() -> None:
    layer = Image(noisy((40, 50)), name="cells")
    with pytest.raises(PlanError, match=r"cells is no file .* save the layer as OME-Zarr") as error:
        check_image(open_layer(layer), "cells")
    assert error.value.field == "image"


def file_layer(path: Path, shown: Any) -> Image:
    with layer_source(path=str(path), reader_plugin="napari"):
        return Image(shown, name="cells")


def test_a_file_that_is_shown_as_it_is_is_one_that_workers_open(tmp_path: Path) -> None:
    image = noisy((3, 40, 50), dtype=np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack")
    layer = file_layer(path, image)
    stack = open_layer(layer, "TYX")
    check_image(stack, "cells")
    plan = plan_prediction(stack, load_model(Blur(), device="cpu"))
    check_pixels(stack, plan, "cells")


def test_colours_with_alpha_are_opened_without(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 4)).astype(np.uint8)
    path = str(tmp_path / "a.zarr")
    array = zarr.create_array(path, shape=image.shape, dtype="u1", chunks=(20, 50, 4))
    array[...] = image
    check_image(open_layer(Image(array, rgb=True, name="slide")), "slide")


@pytest.mark.parametrize("lazy", [False, True])
def test_an_array_on_disk_is_found_without_a_reader(tmp_path: Path, lazy: bool) -> None:
    path = str(tmp_path / "a.zarr")
    array = zarr.create_array(path, shape=(3, 40, 50), dtype="f4", chunks=(1, 40, 50))
    array[...] = noisy((3, 40, 50))
    shown = da.from_zarr(array) if lazy else array
    check_image(open_layer(Image(shown), "ZYX"), "cells")


def test_pixels_that_were_changed_since_are_told(tmp_path: Path) -> None:
    image = noisy((40, 50))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack")
    stack = open_layer(file_layer(path, image + 1), "YX")
    check_image(stack, "cells")
    plan = plan_prediction(stack, load_model(Blur(), device="cpu"))
    with pytest.raises(PlanError, match="cells shows other pixels than the file") as error:
        check_pixels(stack, plan, "cells")
    assert error.value.field == "image"
