from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.writing import ImageRegionData, stitch_prediction, stitch_single_prediction
from napari_tessera.writing.region_data import crop_to_core


@given(data=st.data())
def test_any_order_of_cores_and_whole_tiles_gives_the_image(
    data: st.DataObject, tiled_image: Any
) -> None:
    spatial = data.draw(st.sampled_from(["YX", "ZYX"]))
    shape = [data.draw(st.integers(1, 20)) for _ in range(len(spatial) + 2)]
    shape[0], shape[1] = 1 + shape[0] % 3, 1 + shape[1] % 3
    patch = [data.draw(st.integers(1, 24)) for _ in spatial]
    overlaps = [2 * data.draw(st.integers(0, (size - 1) // 2)) for size in patch]
    image = tiled_image("SC" + spatial, shape, patch, overlaps)
    order = data.draw(st.permutations(range(image.n_tiles)))
    tiles = [image.tile(tile, whole=data.draw(st.booleans())) for tile in order]
    stitched = stitch_single_prediction(tiles)
    assert stitched.dtype == np.float32
    np.testing.assert_array_equal(stitched, image.view)


def test_images_are_told_apart_and_come_by_their_index(tiled_image: Any) -> None:
    one = tiled_image("YX", (9, 8), (4, 4), (2, 2), source="one.tif", data_idx=0, seed=1)
    two = tiled_image("TYX", (2, 7, 5), (4, 4), (2, 2), source="two.tif", data_idx=1, seed=2)
    mixed = [*two.tiles()[:3], *one.tiles(), *two.tiles()[3:]]
    arrays, sources = stitch_prediction(mixed)
    assert sources == ["one.tif", "two.tif"]
    np.testing.assert_array_equal(arrays[0], one.view)
    np.testing.assert_array_equal(arrays[1], two.view)
    assert stitch_prediction([]) == ([], [])


def test_channels_are_those_of_the_prediction(tiled_image: Any) -> None:
    image = tiled_image("CYX", (2, 6, 6), (4, 4), (2, 2), channels=3)
    assert stitch_single_prediction(image.tiles()).shape == (1, 3, 6, 6)


def test_missing_tiles_are_nan_and_zero_in_integers(tiled_image: Any) -> None:
    image = tiled_image("YX", (8, 8), (4, 4), (0, 0))
    stitched = stitch_single_prediction(image.tiles([0]))
    assert np.isnan(stitched).sum() == 48
    tile = image.tile(0)
    assert (
        stitch_single_prediction([tile._replace(data=tile.data.astype(np.uint8))])[0, 0, 4:] == 0
    ).all()


@pytest.mark.parametrize("change", ["data", "spec", "image"])
def test_what_does_not_fit_is_refused(change: str, tiled_image: Any) -> None:
    image = tiled_image("YX", (9, 9), (4, 4), (2, 2))
    tiles: list[ImageRegionData] = image.tiles()
    if change == "data":
        tiles[1] = tiles[1]._replace(data=np.zeros((1, 3, 5), np.float32))
    elif change == "spec":
        tiles[1] = tiles[1]._replace(
            region_spec={"data_idx": 0, "sample_idx": 0, "coords": (0, 0), "patch_size": (4, 4)}
        )
    else:
        tiles[1] = tiled_image("YX", (9, 9), (4, 4), (2, 2), data_idx=1).tile(1)
    with pytest.raises(ValueError) as caught:
        stitch_single_prediction(tiles)
    assert "\n" not in str(caught.value)


def test_no_tiles_are_no_image() -> None:
    with pytest.raises(ValueError, match="no tiles"):
        stitch_single_prediction([])


def test_a_core_is_a_view(tiled_image: Any) -> None:
    tile = tiled_image("YX", (20, 20), (8, 8), (4, 4)).tile(0, whole=True)
    assert crop_to_core(tile).base is tile.data
