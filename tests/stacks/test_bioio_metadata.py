"""Axis letters for bioio's dimensions, names of scenes and channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

from napari_tessera.stacks.bioio.metadata import scene_letters, scene_metadata
from napari_tessera.stacks.bioio.readers import find_scene, scene_source

PATH = Path("cells.czi")


@pytest.mark.parametrize(
    ("dims", "shape", "letters"),
    [
        ("TCZYX", (3, 2, 4, 7, 8), "TCZYX"),
        ("CTZYX", (2, 3, 4, 7, 8), "CTZYX"),
        ("TCZYXS", (3, 1, 4, 7, 8, 3), "TSZYXC"),
        ("TCZYXS", (3, 2, 4, 7, 8, 3), "TCZYXS"),
        ("TCZYXS", (3, 2, 4, 7, 8, 1), "TCZYXS"),
        ("YXS", (7, 8, 4), "YXC"),
        ("MTCZYX", (5, 3, 2, 4, 7, 8), "STCZYX"),
        ("HTCZYX", (1, 3, 2, 4, 7, 8), "STCZYX"),
        ("MHCYX", (5, 1, 2, 7, 8), "STCYX"),
    ],
)
def test_letters_of_dimensions(dims: str, shape: tuple[int, ...], letters: str) -> None:
    assert scene_letters(tuple(dims), shape, "cells.czi") == letters


def test_two_dimensions_cannot_be_samples() -> None:
    message = "cells.czi: dimensions M and H have more than one entry; one can be S"
    with pytest.raises(ValueError, match=message):
        scene_letters(tuple("MHTCZYX"), (5, 2, 1, 1, 1, 7, 8), "cells.czi")
    with pytest.raises(ValueError, match="dimensions M and S have more"):
        scene_letters(tuple("MCYXS"), (5, 2, 7, 8, 3), "cells.czi")


class Unhelpful:
    """A reader that fails to tell whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["DAPI", "GFP"], ("DAPI", "GFP")),
        (["Channel:0", "GFP"], ("Channel:0", "GFP")),
        (["Channel:0", "Channel:1"], None),
        (["Channel:0:0", "Channel:0:1"], None),
        (["DAPI", ""], None),
        ([0, 1], None),
    ],
)
def test_names_of_channels(names: list[Any], expected: tuple[str, ...] | None) -> None:
    known = xarray.DataArray(np.zeros((2, 7, 8)), dims=("C", "Y", "X"), coords={"C": names})
    reader: Any = Unhelpful()
    metadata = scene_metadata(reader, known, {"C": "C", "Y": "Y", "X": "X"})
    assert metadata.channel_names == expected
    assert metadata.scale == (1.0, 1.0, 1.0)
    assert metadata.units == (None, None, None)
    relabelled = scene_metadata(reader, known, {"T": "C", "Y": "Y", "X": "X"})
    assert relabelled.channel_names is None


def test_scenes_by_name_come_before_scenes_by_number() -> None:
    names = ("2", "1", "0")
    assert [find_scene(names, PATH, scene) for scene in ("0", "1", "2", 0, 1, 2)] == [
        2,
        1,
        0,
        0,
        1,
        2,
    ]
    assert scene_source(names, PATH, 0) == "cells.czi#2"


def test_scenes_of_the_same_name_are_told_apart_by_number() -> None:
    names = ("a", "b", "a")
    assert [scene_source(names, PATH, i) for i in range(3)] == [
        "cells.czi#0",
        "cells.czi#b",
        "cells.czi#2",
    ]
    assert [find_scene(names, PATH, scene) for scene in ("0", "b", "2", "a")] == [0, 1, 2, 0]


def test_scenes_that_are_missing() -> None:
    with pytest.raises(ValueError, match="holds no image"):
        find_scene((), PATH, None)
    many = tuple(f"scene {number}" for number in range(20))
    with pytest.raises(ValueError, match=r"holds 20 scenes; .*, scene 7, …$"):
        find_scene(many, PATH, None)
    for scene in ("scene", "20", -1, 20):
        with pytest.raises(ValueError, match=r"has no scene .*; it has scene 0, .*, …$"):
            find_scene(many, PATH, scene)
