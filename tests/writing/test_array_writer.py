from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.region import Region
from napari_tessera.writing import ArrayWriter, WriteStrategy

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 5, "Y": 13, "X": 11}


@st.composite
def tiled_cases(draw: st.DrawFn) -> dict[str, Any]:
    """Axes in any order, what is folded, the model's channels, a grid and a region."""
    optional = draw(st.lists(st.sampled_from("STCZ"), unique=True))
    axes = "".join(draw(st.permutations([*optional, "Y", "X"])))
    fold = draw(st.sampled_from(["", "Z", "C", "ZC"]))
    spatial = "YX" if "Z" in fold or "Z" not in axes else "ZYX"
    patch = [draw(st.integers(2, 12)) for _ in spatial]
    overlaps = [2 * draw(st.integers(0, (size - 1) // 2)) for size in patch]
    channels = None if "C" in fold else draw(st.sampled_from([None, 1, 3]))
    selection: dict[str, Any] = {}
    for letter in draw(st.sets(st.sampled_from(axes))):
        size = channels if letter == "C" and channels else SIZES[letter]
        if letter in "ST" and draw(st.booleans()):
            selection[letter] = sorted(draw(st.sets(st.integers(0, size - 1), min_size=1)))
        else:
            start = draw(st.integers(0, size - 1))
            selection[letter] = slice(start, draw(st.integers(start + 1, size)))
    return {
        "axes": axes,
        "shape": [SIZES[letter] for letter in axes],
        "patch": patch,
        "overlaps": overlaps,
        "fold": fold,
        "channels": channels,
        "selection": selection,
    }


@given(case=tiled_cases(), data=st.data())
def test_any_axes_fold_channels_and_region(
    case: dict[str, Any], data: st.DataObject, tiled_image: Any
) -> None:
    image = tiled_image(**case)
    array = np.full(image.region.selected_shape, np.nan, np.float32)
    writer = ArrayWriter(array, image.region)
    assert isinstance(writer, WriteStrategy)
    order = data.draw(st.permutations(range(image.n_tiles)))
    for tile in order:
        writer.write_batch(Path(), [image.tile(tile, whole=data.draw(st.booleans()))])
    np.testing.assert_array_equal(array, image.expected)
    assert writer.clipped_pixels == 0


def test_integers_are_clipped_and_counted(tiled_image: Any) -> None:
    image = tiled_image("YX", (30, 30), (16, 16), (4, 4))
    array = np.zeros((30, 30), np.uint8)
    writer = ArrayWriter(array, image.region)
    writer.write_batch(Path(), image.tiles())
    rounded = np.rint(image.expected)
    np.testing.assert_array_equal(array, np.clip(rounded, 0, 255))
    assert writer.clipped_pixels == ((rounded < 0) | (rounded > 255)).sum() > 0


def test_tiles_outside_the_region_are_dropped(tiled_image: Any) -> None:
    whole = tiled_image("YX", (16, 16), (8, 8), (0, 0))
    region = Region.from_selection("YX", (16, 16), {"Y": slice(0, 3)})
    array = np.zeros((3, 16), np.float32)
    ArrayWriter(array, region).write_batch(Path(), whole.tiles())
    np.testing.assert_array_equal(array, whole.expected[:3])


def test_an_array_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 4\) cannot take the area YX \(5, 4\)"):
        ArrayWriter(np.zeros((4, 4)), Region.from_selection("YX", (5, 4)))
