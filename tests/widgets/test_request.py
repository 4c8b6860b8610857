"""What the dock asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image

from napari_tessera.widgets.request import EVERYTHING, RunRequest, SaveTarget


def test_equal_settings_are_equal() -> None:
    layer = Image(np.zeros((4, 4)))
    save = SaveTarget(Path("a.ome.zarr"))
    assert RunRequest((layer,), save=save) == RunRequest([layer], save=save)  # type: ignore[arg-type]
    assert RunRequest((layer,), area=EVERYTHING) != RunRequest((layer,))
    assert RunRequest((Image(np.zeros((4, 4))),)) != RunRequest((layer,))


def test_channels_are_those_chosen_or_those_with_a_model() -> None:
    layer, models = Image(np.zeros((3, 4, 4))), ((0, "a.pt"), (2, "b.pt"))
    assert RunRequest((layer,)).made_channels is None
    assert RunRequest((layer,), channel_models=models).made_channels == (0, 2)
    assert RunRequest((layer,), channel_models=models, channels=(2,)).made_channels == (2,)


def test_one_layer_is_saved_as_named_and_several_each_beside_it() -> None:
    target = SaveTarget(Path("out/cells.ome.zarr"))
    assert target.for_layers(["GFP"]) == (Path("out/cells.ome.zarr"),)
    assert target.for_layers(["GFP", "a/b: c [1]"]) == (
        Path("out/cells_GFP.ome.zarr"),
        Path("out/cells_a_b_ c [1].ome.zarr"),
    )
    assert SaveTarget(Path("x.zarr")).for_layers(["a", "b"]) == (Path("x_a.zarr"), Path("x_b.zarr"))
    assert target.for_layers([]) == ()


def test_names_that_a_disk_takes_for_one_are_numbered() -> None:
    names = ["a/b", "a:b", "a_b_2", "GFP", "gfp", "\u00e9", "e\u0301"]
    paths = SaveTarget(Path("x.zarr")).for_layers(names)
    assert [path.name for path in paths] == [
        "x_a_b.zarr",
        "x_a_b_2.zarr",
        "x_a_b_2_2.zarr",
        "x_GFP.zarr",
        "x_gfp_2.zarr",
        "x_\u00e9.zarr",
        "x_\u00e9_2.zarr",
    ]


@given(st.lists(st.text(max_size=4), min_size=2, max_size=8))
def test_no_two_layers_share_a_path(names: list[str]) -> None:
    paths = SaveTarget(Path("x.zarr")).for_layers(names)
    assert len({str(path).casefold() for path in paths}) == len(names)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"output 'cells\.png': unknown ending '\.png'"):
        SaveTarget(Path("cells.png"))
    with pytest.raises(ValueError, match="OME-Zarr has no compression 'lzw'"):
        SaveTarget(Path("cells.zarr"), compression="lzw")
    with pytest.raises(ValueError, match="if_exists 'maybe' is none of ask, rename"):
        SaveTarget(Path("a.zarr"), if_exists="maybe")
    with pytest.raises(ValueError, match="area 'Half' is none of What I see"):
        RunRequest((), area="Half")


def test_only_what_is_not_left_to_the_software_is_a_setting() -> None:
    assert RunRequest(()).plan_settings == {}
    request = RunRequest((), tta="mean", blending="linear", overlaps=(8, 8), device="cpu")
    assert request.plan_settings == {"overlaps": (8, 8), "blending": "linear", "tta": "mean"}


def test_models_of_channels_take_the_place_of_the_model() -> None:
    assert RunRequest((), "a.pt").source == "a.pt"
    request = RunRequest((), "a.pt", channel_models=((0, "b.pt"), (2, "c.pt")))
    assert request.source == {0: "b.pt", 2: "c.pt"}
