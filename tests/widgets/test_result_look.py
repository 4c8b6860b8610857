"""How results are shown, in what is saved of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image
from tests.widgets.conftest import make_plan, noisy, run_into

from napari_tessera.widgets.channel_look import ChannelLook
from napari_tessera.widgets.result_look import ResultLook
from napari_tessera.widgets.rgb import Colours
from napari_tessera.writing import WriteTilesZarr
from napari_tessera.writing.places.lock import lock_store


def made_source(**given: Any) -> Image:
    look = {"name": "GFP", "colormap": "green", "contrast_limits": (60, 120), **given}
    return Image(np.zeros((40, 50), np.uint16), **look)


def test_before_there_is_a_layer_the_result_looks_like_its_input() -> None:
    look = ResultLook(made_source(visible=False))
    look.read(None)
    assert look.channels(None) == (ChannelLook("GFP_denoised", "00FF00", (60, 120)),)


def test_the_layer_says_how_the_result_looks() -> None:
    look = ResultLook(made_source())
    look.read(made_source(name="mine", contrast_limits=(1, 2), visible=False))
    assert look.channels(None) == (ChannelLook("mine", "00FF00", (1, 2)),)


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("float32", 1)])
def test_colours_are_red_green_and_blue_over_the_range_of_the_input(dtype: str, top: int) -> None:
    look = ResultLook(made_source())
    channels = look.channels(Colours(dtype, np.zeros((4, 5, 4), dtype)))
    assert [(one.name, one.colour) for one in channels] == [
        ("Red", "FF0000"),
        ("Green", "00FF00"),
        ("Blue", "0000FF"),
    ]
    assert {one.window for one in channels} == {(0, top)}


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, str]:
    """A store that a run has written, and the fingerprint of its plan."""
    image = noisy((40, 50))
    plan = make_plan(image, "YX")
    run_into(WriteTilesZarr(tmp_path / "a.ome.zarr"), plan, image, "YX")
    return tmp_path / "a.ome.zarr", plan.fingerprint


def attributes_of(store: Path) -> Any:
    return zarr.open_group(store, mode="r").attrs.asdict()


def test_a_store_says_how_it_is_shown(saved: tuple[Path, str]) -> None:
    store, fingerprint = saved
    before = attributes_of(store)
    look = ResultLook(made_source())
    look.read(None)
    look.enter(store, fingerprint, None)
    after = attributes_of(store)
    (channel,) = after["ome"]["omero"]["channels"]
    assert (channel["label"], channel["color"]) == ("GFP_denoised", "00FF00")
    assert (channel["window"]["start"], channel["window"]["end"]) == (60, 120)
    assert after["napari_tessera"] == before["napari_tessera"]
    assert look.problem == ""
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def test_an_opened_result_has_its_name_once(tmp_path: Path) -> None:
    reading = pytest.importorskip("napari_ome_zarr")
    image = noisy((40, 50))
    plan, store = make_plan(image, "YX"), tmp_path / "GFP_denoised.ome.zarr"
    run_into(WriteTilesZarr(store), plan, image, "YX")
    look = ResultLook(made_source())
    look.read(None)
    look.enter(store, plan.fingerprint, None)
    reader = reading.napari_get_reader(str(store))
    assert reader is not None
    ((_, described, _),) = reader(str(store))
    names = described["name"]
    (name,) = [names] if isinstance(names, str) else names
    assert name.count("GFP_denoised") == 1


def test_the_store_of_another_run_is_left_alone(saved: tuple[Path, str]) -> None:
    store, _ = saved
    before = attributes_of(store)
    look = ResultLook(made_source())
    look.enter(store, "another", None)
    assert attributes_of(store) == before
    assert look.problem == ""


def test_a_store_that_is_being_written_again_is_left_alone_and_the_reason_told(
    saved: tuple[Path, str],
) -> None:
    store, fingerprint = saved
    before = attributes_of(store)
    look = ResultLook(made_source())
    with lock_store(store):
        look.enter(store, fingerprint, None)
    assert attributes_of(store) == before
    assert "is being written by" in look.problem
