from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

from napari_tessera.layout import Layout
from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.copied_channels import (
    copied_blocks,
    copied_channels,
    with_all_channels,
)
from napari_tessera.writing.stored.image_store import ImageOptions

from .writing_images import write


def source_pixels(image: Any) -> np.ndarray:
    rng = np.random.default_rng(11)
    return rng.integers(0, 60_000, image.layout.shape).astype(np.uint16)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize(
    ("axes", "fold", "selection", "patch"),
    [
        ("CYX", "C", {"C": [1]}, (128, 128)),
        ("STCZYX", "ZC", {"C": [0, 2], "Z": [0, 2], "T": 1}, (128, 30)),
        ("YCXZ", "C", {"C": slice(1, 3), "Y": slice(20, 560)}, (3, 128, 30)),
    ],
)
def test_channels_that_are_left_out_are_copied(
    tmp_path: Path,
    tiled_image: Any,
    axes: str,
    fold: str,
    selection: dict[str, Any],
    patch: tuple[int, ...],
    version: str,
) -> None:
    sizes = {"S": 2, "T": 2, "C": 3, "Z": 3, "Y": 600, "X": 30}
    shape = tuple(sizes[letter] for letter in axes)
    image = tiled_image(
        axes,
        shape,
        patch,
        (0,) * len(patch),
        fold=fold,
        selection=selection,
        metadata=ImageMetadata(axes, channel_names=("a", "b", "c")),
    )
    pixels = source_pixels(image)
    run = {"read_input": pixels.__getitem__, "output_dtype": np.dtype(np.float32)}
    options = ImageOptions(version, copy_channels=True)
    path = tmp_path / "a.ome.zarr"
    write(path, image, order=[0], options=options, **run)
    about = zarr.open_group(path, mode="r").attrs["napari_tessera"]
    assert not about["completed"]
    write(path, image, resume=True, **run)

    whole = np.full(image.layout.output_shape, np.nan, np.float32)
    at = axes.index("C")
    chosen = list(image.region.along("C"))
    indices = [list(part) for part in image.region.indices]
    predicted = np.ix_(*indices)
    whole[predicted] = image.expected
    copied = [channel for channel in range(3) if channel not in chosen]
    indices[at] = copied
    whole[np.ix_(*indices)] = pixels[np.ix_(*indices)]
    indices[at] = [0, 1, 2]
    expected = whole[np.ix_(*indices)]
    order = OmeOrder(axes, expected.shape)
    group = zarr.open_group(path, mode="r")
    np.testing.assert_array_equal(group["0"][:], order.to_disk(expected))
    assert group["1"].shape[-1] == 15
    assert np.isfinite(group["1"][:]).all()
    attributes = group.attrs.asdict()
    about = attributes["napari_tessera"]
    assert (about["copied_channels"], about["shape"]) == (copied, list(expected.shape))
    omero = attributes.get("ome", attributes)["omero"]
    assert [channel["label"] for channel in omero["channels"]] == ["a", "b", "c"]


def test_copied_pixels_that_do_not_fit_are_clipped_and_counted(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("CYX", (2, 20, 20), (20, 20), (0, 0), fold="C", selection={"C": 0})
    pixels = np.full((2, 20, 20), 300, np.uint16)
    run = {"read_input": pixels.__getitem__, "output_dtype": np.dtype(np.uint8)}
    write(tmp_path / "a.zarr", image, options=ImageOptions(copy_channels=True), **run)
    stored = read_unfinished(tmp_path / "a.zarr")
    assert stored is not None
    rounded = np.rint(image.expected)
    assert stored.clipped_pixels == 400 + ((rounded < 0) | (rounded > 255)).sum()
    assert (zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")[1] == 255).all()


def test_channels_are_copied_only_where_they_are_the_image_s(
    tmp_path: Path, tiled_image: Any
) -> None:
    options = ImageOptions(copy_channels=True)
    pixels = np.zeros((3, 20, 20), np.uint16)
    other = tiled_image("CYX", (3, 20, 20), (20, 20), (0, 0), channels=2, selection={"C": 1})
    write(tmp_path / "a.zarr", other, options=options, read_input=pixels.__getitem__)
    assert zarr.open_array(tmp_path / "a.zarr" / "0", mode="r").shape == (1, 20, 20)
    folded = tiled_image("CYX", (3, 20, 20), (20, 20), (0, 0), fold="C", selection={"C": 1})
    write(tmp_path / "b.zarr", folded, options=options)
    assert zarr.open_array(tmp_path / "b.zarr" / "0", mode="r").shape == (1, 20, 20)
    with pytest.raises(ValueError, match=r"chunks \(2, 8, 8\) along CYX hold several channels"):
        write(
            tmp_path / "c.zarr",
            folded,
            options=ImageOptions(copy_channels=True, chunks=(2, 8, 8)),
            read_input=pixels.__getitem__,
        )
    assert not (tmp_path / "c.zarr").exists()


def test_an_error_while_channels_are_copied_leaves_a_run_to_go_on_with(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("CYX", (2, 60, 50), (30, 30), (0, 0), fold="C", selection={"C": 0})
    path = tmp_path / "x.ome.zarr"

    def broken(block: tuple[slice, ...]) -> Any:
        raise OSError("the server does not answer")

    options = ImageOptions(copy_channels=True)
    with pytest.raises(OSError, match="does not answer"):
        write(path, image, options=options, read_input=broken)
    stored = read_unfinished(path)
    assert stored is not None
    assert (stored.state, stored.completed) == ("stopped", False)
    assert stored.done == list(range(image.n_tiles))
    pixels = source_pixels(image)
    write(path, image, order=[], resume=True, read_input=pixels.__getitem__)
    write(path, image, resume=True, read_input=pixels.__getitem__)
    np.testing.assert_array_equal(zarr.open_array(path / "0", mode="r")[1], pixels[1])


def test_a_disk_that_is_full_when_channels_are_copied_says_what_is_saved(
    tmp_path: Path, tiled_image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tiled_image("CYX", (3, 60, 50), (30, 30), (0, 0), fold="C", selection={"C": 0})
    path = tmp_path / "x.ome.zarr"
    pixels = source_pixels(image)
    original = LocalStore.set

    async def full(self: LocalStore, key: str, value: Any) -> None:
        if key.startswith("0/c/2"):
            raise OSError(28, "No space left on device")
        await original(self, key, value)

    options = ImageOptions(copy_channels=True)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", full)
        with pytest.raises(OSError, match=f"no space left on .*: {image.n_tiles} tiles are saved"):
            write(path, image, options=options, read_input=pixels.__getitem__)
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.done == list(range(image.n_tiles))
    write(path, image, order=[], resume=True, read_input=pixels.__getitem__)
    write(path, image, resume=True, read_input=pixels.__getitem__)
    found = zarr.open_array(path / "0", mode="r")[:]
    np.testing.assert_array_equal(found[1:], pixels[1:])
    np.testing.assert_array_equal(found[:1], image.expected)


def test_a_run_that_began_without_copies_is_not_resumed_with_them(
    tmp_path: Path, tiled_image: Any, hashes: Any
) -> None:
    image = tiled_image("CYX", (3, 61, 47), (24, 24), (8, 8), selection={"C": [0]})
    run = {"read_input": lambda index: source_pixels(image)[index]}
    where = tmp_path / "a.zarr"
    write(where, image, order=[0, 1], **run)
    before = hashes(where)
    options = ImageOptions(copy_channels=True)
    with pytest.raises(ValueError, match="started without them; resume without copy_channels, or"):
        write(where, image, options=options, resume=True, **run)
    assert hashes(where) == before
    write(where, image, resume=True, **run)
    stored = read_unfinished(where)
    assert stored is not None
    assert stored.completed
    # where there is nothing to copy there is nothing to refuse
    whole = tiled_image("CYX", (3, 61, 47), (24, 24), (8, 8))
    write(tmp_path / "b.zarr", whole, order=[0], **run)
    write(tmp_path / "b.zarr", whole, options=options, resume=True, **run)
    assert zarr.open_group(tmp_path / "b.zarr", mode="r").attrs["napari_tessera"]["completed"]


def test_of_a_part_the_same_pixels_are_copied() -> None:
    layout = Layout("TCYX", (4, 3, 30, 20), "C")
    predicted = {"C": [0], "T": [0, 2, 3], "Y": slice(5, 25)}
    own = Region.from_selection("TCYX", layout.shape, predicted)
    region, channels = with_all_channels(own), copied_channels(layout, own)
    assert channels == (1, 2)
    pixels = np.random.default_rng(0).integers(0, 99, layout.shape)
    whole = np.full(region.selected_shape, -1)
    parts = whole.copy()
    lengths = {"T": 1, "C": 1, "Y": 8, "X": 20}
    for at, block in copied_blocks(region, channels, lengths, pixels.__getitem__):
        whole[at] = block
    for times in ((0, 2), (2, 3)):
        for rows in ((0, 8), (8, 16), (16, 20)):
            within = {"T": times, "Y": rows}
            for at, block in copied_blocks(region, channels, lengths, pixels.__getitem__, within):
                assert (parts[at] == -1).all()
                assert times[0] <= at[0].start < at[0].stop <= times[1]
                assert rows[0] <= at[2].start < at[2].stop <= rows[1]
                parts[at] = block
    np.testing.assert_array_equal(parts, whole)
    assert (whole[:, 1:] >= 0).all()
