"""Which tiles a mask or shapes keep, against every pixel of small images."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.prediction import Outline, PlacedMask, PlanError, TileArea
from napari_tessera.prediction.inside import pixels
from napari_tessera.prediction.inside.deciding import kept_tiles
from napari_tessera.prediction.inside.kept import KeptTiles
from napari_tessera.region import Region
from napari_tessera.stacks import ArrayStack

SQUARE = [(0, 0), (0, 5), (5, 5), (5, 0)]


def make(
    axes: str, shape: tuple[int, ...], fold: str = "", region: dict | None = None, patch: int = 8
) -> TileArea:
    layout = Layout(axes, shape, fold)
    area = Region.from_selection(layout.output_axes, layout.output_shape, region)
    n = len(layout.spatial_axes)
    return TileArea(layout, area, TiledPatching([layout.view_shape], (patch,) * n, (4,) * n, 2))


def kept(tiles: TileArea, inside: object) -> np.ndarray:
    """One bool per tile."""
    found = kept_tiles(tiles, inside)
    own = TileArea(tiles.layout, tiles.region, tiles.patching, found)
    if own.skipped is None:
        return np.ones(tiles.n_tiles, bool)
    assert own.n_predicted == np.count_nonzero(~own.skipped)
    return ~own.skipped


def of_pixels(tiles: TileArea, mask: np.ndarray) -> np.ndarray:
    """The same, tile by tile, of a mask over the whole output."""
    within = np.zeros(tiles.region.shape, bool)
    within[np.ix_(*tiles.region.indices)] = True
    return np.array([(mask & within)[tiles.block(i)].any() for i in range(tiles.n_tiles)])


@st.composite
def areas(draw: st.DrawFn) -> TileArea:
    axes, fold = draw(
        st.sampled_from(
            [("TZCYX", "ZC"), ("CTZYX", "Z"), ("ZYXC", ""), ("YX", ""), ("SZYX", ""), ("YXC", "C")]
        )
    )
    shape = tuple(draw(st.integers(2, 30 if a in "YX" else 6)) for a in axes)
    region: dict = {}
    for letter, size in zip(axes, shape, strict=True):
        if letter in "TC" and (letter != "C" or "C" in fold) and draw(st.booleans()):
            region[letter] = sorted(draw(st.sets(st.integers(0, size - 1), min_size=1)))
        elif letter in "ZYX" and draw(st.booleans()):
            start = draw(st.integers(0, size - 1))
            region[letter] = slice(start, draw(st.integers(start + 1, size)))
    return make(axes, shape, fold, region, draw(st.sampled_from([6, 8, 16])))


@settings(max_examples=60, deadline=None)
@given(areas(), st.data())
def test_a_mask_keeps_the_tiles_in_whose_core_it_has_a_pixel(
    tiles: TileArea, data: st.DataObject
) -> None:
    axes, shape = tiles.layout.axes, tiles.layout.shape
    seed, few = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.sampled_from([1, 3, 20]))
    rng = np.random.default_rng(seed)
    dtype = data.draw(st.sampled_from([bool, np.uint8, np.float32]))
    mask = np.zeros(shape, dtype)
    for _ in range(few):
        mask[tuple(rng.integers(0, size) for size in shape)] = 7
    expected = of_pixels(tiles, _over_channels(tiles, mask != 0))
    if not expected.any():
        with pytest.raises(PlanError, match="nothing of the area is inside the mask"):
            kept_tiles(tiles, mask)
        return
    assert np.array_equal(kept(tiles, mask), expected)
    assert np.array_equal(kept(tiles, ArrayStack(mask, axes)), expected)
    if dtype is np.float32:
        mask[mask == 0] = np.nan
        assert np.array_equal(kept(tiles, mask), expected), "NaN is outside"


def _over_channels(tiles: TileArea, mask: np.ndarray) -> np.ndarray:
    """A pixel of any channel counts, where tiles have them all."""
    axes = tiles.layout.axes
    if "C" in axes and "C" not in tiles.axes:
        mask = np.broadcast_to(mask.any(axis=axes.index("C"), keepdims=True), mask.shape)
    return mask


@pytest.mark.parametrize("most", [1, 40, 2**26])
def test_a_mask_of_the_plane_holds_for_all_and_is_read_in_parts(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "MOST_PIXELS", most)
    tiles = make("TCZYX", (2, 3, 4, 30, 40), "ZC")
    plane = np.zeros((30, 40), bool)
    plane[2, 3] = plane[29, 39] = plane[11:14, 20] = True
    expected = of_pixels(tiles, np.broadcast_to(plane, (2, 3, 4, 30, 40)))
    found = kept_tiles(tiles, plane)
    assert found is not None
    assert found.axes == "YX", "stored once, not for each plane"
    assert np.array_equal(kept(tiles, plane), expected)
    # of a stack too, with one plane along an axis, or without the channels
    for one in (plane[None], np.broadcast_to(plane, (4, 30, 40)), plane[None, None, None]):
        assert np.array_equal(kept(tiles, one), expected)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("YXZ", (30, 40, 5)),
        ("YXC", (30, 40, 3)),
        ("TYXZ", (2, 30, 40, 5)),
        ("YZX", (30, 5, 40)),
        ("XZY", (40, 5, 30)),
    ],
)
def test_a_plane_holds_for_all_wherever_the_image_has_its_axes(
    axes: str, shape: tuple[int, ...]
) -> None:
    plane = np.zeros((30, 40), bool)
    plane[2, 3] = plane[11:14, 20] = True
    mask = plane if axes.index("Y") < axes.index("X") else plane.T
    found = kept_tiles(make(axes, shape), mask)
    assert found is not None
    assert found == kept_tiles(make("YX", (30, 40)), plane)


def test_masks_of_every_kind_are_opened(tmp_path: Path) -> None:
    tiles = make("ZYX", (5, 30, 40), "Z")
    labels = np.zeros((5, 30, 40), np.uint16)
    labels[3, 20:25, 8:12] = 9
    expected = of_pixels(tiles, labels > 0)
    tifffile.imwrite(tmp_path / "mask.tif", labels)
    np.save(tmp_path / "mask.npy", labels > 0)
    stored = zarr.create_array(tmp_path / "mask.zarr", data=labels, chunks=(1, 16, 16))
    for given_as in (
        str(tmp_path / "mask.tif"),
        tmp_path / "mask.npy",
        tmp_path / "mask.zarr",
        stored,
        da.from_array(labels, chunks=(2, 9, 40)),
    ):
        assert np.array_equal(kept(tiles, given_as), expected), given_as


@pytest.mark.parametrize(
    ("axes", "shape", "mask", "message"),
    [
        (
            "ZYX",
            (5, 30, 40),
            (30, 41),
            r"the mask is 30×41, the image ZYX 5×30×40: give a mask of ZYX 5×30×40 or YX 30×40",
        ),
        ("ZYX", (5, 30, 40), (4, 30, 40), r"the mask is 4×30×40, the image ZYX 5×30×40"),
        ("ZYX", (5, 30, 40), (40,), r"the mask is 40, the image ZYX"),
        ("ZYX", (5, 30, 40), (), r"the mask is one number, the image ZYX 5×30×40: give a mask"),
        (
            "TCYX",
            (2, 3, 30, 40),
            (1, 40),
            r"give a mask of TCYX 2×3×30×40 or TYX 2×30×40 or YX 30×40",
        ),
    ],
)
def test_a_mask_of_another_size_is_refused_by_both_sizes(
    axes: str, shape: tuple[int, ...], mask: tuple[int, ...], message: str
) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        kept_tiles(make(axes, shape), np.ones(mask))
    assert caught.value.field == "area"


def test_a_stacks_own_axes_are_told(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "m.ome.tif", np.ones((4, 30, 41), np.uint8), metadata={"axes": "TYX"}
    )
    with pytest.raises(PlanError, match="the mask is TYX 4×30×41, the image ZYX 5×30×40"):
        kept_tiles(make("ZYX", (5, 30, 40)), tmp_path / "m.ome.tif")


@pytest.mark.parametrize("dtype", ["U1", "S1", "complex64", "object", "datetime64[s]"])
def test_pixels_that_are_no_real_numbers_are_refused(dtype: str) -> None:
    mask = np.zeros((30, 40), int).astype(dtype)
    tiles = make("ZYX", (5, 30, 40))
    for given_as in (mask, PlacedMask(mask, "YX", ((1, 0), (0, 1)), (0, 0))):
        with pytest.raises(PlanError, match=r"the mask has pixels of .*: give bool, integers") as e:
            kept_tiles(tiles, given_as)
        assert e.value.field == "area"


def test_a_damaged_mask_is_told_from_a_damaged_image(tmp_path: Path) -> None:
    tiles = make("ZYX", (5, 30, 40))
    (tmp_path / "cut.tif").write_bytes(b"II*\0\x08")
    with pytest.raises(PlanError, match=r"^the mask cannot be read: .*cut\.tif"):
        kept_tiles(tiles, tmp_path / "cut.tif")
    # one that opens, and of which a part is missing
    tifffile.imwrite(
        tmp_path / "m.tif", np.ones((5, 30, 40), np.uint8), compression="zlib", rowsperstrip=10
    )
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        begin, size = file.pages[3].dataoffsets[1], file.pages[3].databytecounts[1]
    with (tmp_path / "m.tif").open("r+b") as damaged:
        damaged.seek(begin)
        damaged.write(b"\xff" * size)
    with pytest.raises(PlanError, match=r"^the mask cannot be read: .*m\.tif") as caught:
        kept_tiles(tiles, tmp_path / "m.tif")
    assert caught.value.field == "area"


def test_one_shape_is_taken_without_a_list() -> None:
    tiles = make("ZYX", (5, 30, 40), "Z")
    expected = kept_tiles(tiles, [Outline(SQUARE)])
    for one in (SQUARE, Outline(SQUARE), {"points": SQUARE}, [{"points": SQUARE}]):
        assert kept_tiles(tiles, one) == expected


@settings(max_examples=50, deadline=None)
@given(areas(), st.integers(0, 2**32 - 1), st.booleans())
def test_rectangles_keep_the_tiles_of_their_pixels(
    tiles: TileArea, seed: int, in_planes: bool
) -> None:
    rng = np.random.default_rng(seed)
    axes, shape = tiles.layout.axes, tiles.layout.shape
    sizes = dict(zip(axes, shape, strict=True))
    mask = np.zeros(shape, bool)
    outlines = []
    for _ in range(2):
        (y0, y1), (x0, x1) = (np.sort(rng.choice(sizes[a] + 1, 2, replace=False)) for a in "YX")
        corners = [(y0, x0), (y0, x1), (y1, x1), (y1, x0)]
        letters = [a for a in axes if a in "STZC" and in_planes and rng.random() < 0.5]
        at = {a: int(rng.integers(sizes[a])) for a in letters}
        outlines.append(Outline([(y - 0.5, x - 0.5) for y, x in corners], at=at))
        where = {**at, "Y": slice(y0, y1), "X": slice(x0, x1)}
        mask[tuple(where.get(a, slice(None)) for a in axes)] = True
    expected = of_pixels(tiles, _over_channels(tiles, mask))
    if not expected.any():
        with pytest.raises(PlanError, match="nothing of the area is inside the shapes"):
            kept_tiles(tiles, outlines)
        return
    assert np.array_equal(kept(tiles, outlines), expected)


def test_all_inside_is_as_if_nothing_were_asked() -> None:
    tiles = make("ZYX", (3, 30, 40), "Z")
    everywhere = [(-5, -5), (-5, 50), (50, 50), (50, -5)]
    assert kept_tiles(tiles, everywhere) is None
    assert kept_tiles(tiles, [Outline(everywhere, at={"Z": z}) for z in range(3)]) is None
    assert kept_tiles(tiles, np.ones((30, 40), bool)) is None
    assert kept_tiles(tiles, KeptTiles("", (), (0, 1))) is None


def test_tiles_that_are_known_are_taken_for_the_same_grid_only() -> None:
    tiles = make("ZYX", (3, 30, 40), "Z")
    found = kept_tiles(tiles, Outline(SQUARE))
    assert kept_tiles(tiles, found) == found
    with pytest.raises(PlanError, match="are for other tiles"):
        kept_tiles(make("ZYX", (3, 60, 40), "Z"), found)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ([], "there is no shape"),
        ([SQUARE, [(0, 0), (1, 1)]], "inside: shape 1: a polygon of 2 points"),
        ([Outline(SQUARE, at={"T": 3})], "shape 0 lies at T=3, the image has ZYX"),
        ([Outline(SQUARE, at={"Z": 3})], "nothing of the area is inside the shapes"),
        ([[(50, 50), (50, 60), (60, 60)]], "nothing of the area is inside the shapes"),
        (np.zeros((30, 40)), "nothing of the area is inside the mask: draw over the image, or"),
    ],
)
def test_what_keeps_nothing_is_refused(inside: object, message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        kept_tiles(make("ZYX", (3, 30, 40), "Z"), inside)
    assert caught.value.field == "area"
