"""Files with several images, and images of several levels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import StackReadError, TiffStack
from napari_tessera.stacks.tiff.images import TiffImages

from .conformance import Array, check_image_stack

SMALL = {"photometric": "minisblack", "metadata": None}


def random_image(*shape: int, dtype: str = "uint16") -> Array:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def write_three(path: Path) -> list[Array]:
    images = [random_image(3, 40, 50), random_image(20, 30), random_image(7, 8, 9, dtype="uint8")]
    with tifffile.TiffWriter(path) as file:
        for image in images:
            file.write(image, **SMALL)
    return images


def test_each_image_of_a_file_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    images = write_three(path)
    for number, (image, axes) in enumerate(zip(images, ["CYX", "YX", "ZYX"], strict=True)):
        with TiffStack(path, series=number) as stack:
            check_image_stack(stack, image, axes)
            assert stack.source == (f"{path}#{number}" if number else str(path))
            assert (stack.series, stack.n_series) == (number, 3)


@pytest.mark.parametrize("number", [-1, 3, 10**9])
def test_an_image_that_is_not_there_lists_those_that_are(number: int, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    write_three(path)
    with pytest.raises(ValueError, match="is outside 0…2") as error:
        TiffStack(path, series=number)
    assert str(error.value) == (
        f"{path}: image {number} is outside 0…2; it holds 0: IYX 3×40×50 uint16; 1: YX 20×30 "
        "uint16; 2: IYX 7×8×9 uint8"
    )


def test_a_long_list_of_images_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    with tifffile.TiffWriter(path) as file:
        for size in range(20, 40):
            file.write(random_image(size, 11), **SMALL)
    with pytest.raises(ValueError, match=r"11: YX 31×11 uint16 and 8 more$"):
        TiffStack(path, series=20)


def test_images_of_ome_have_names_and_sizes_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    images = [random_image(3, 40, 50), random_image(3, 40, 50) + 1]
    with tifffile.TiffWriter(path, ome=True) as file:
        for image, size in zip(images, (0.5, 0.25), strict=True):
            metadata = {"axes": "ZYX", "Name": "cells", "PhysicalSizeX": size}
            file.write(image, photometric="minisblack", metadata=metadata)
    for number, (image, size) in enumerate(zip(images, (0.5, 0.25), strict=True)):
        with TiffStack(path, series=number) as stack:
            check_image_stack(stack, image, "ZYX")
            assert stack.metadata.along("X") == (size, "micrometer", 0.0)


def write_pyramid(path: Path, array: Array, *, levels: int = 1, **settings: Any) -> None:
    with tifffile.TiffWriter(path, ome=settings.pop("ome", None)) as writer:
        common = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
        writer.write(array, subifds=levels, **common, **settings)
        for level in range(1, levels + 1):
            step = 2**level
            writer.write(array[..., ::step, ::step], subfiletype=1, **common)


CENTIMETER = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}


def test_levels_of_a_pyramid(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 96)
    write_pyramid(path, array, levels=2, **CENTIMETER)
    for level in range(3):
        with TiffStack(path, level=level) as stack:
            check_image_stack(stack, array[:: 2**level, :: 2**level], "YX")
            assert stack.metadata.scale == (0.5 * 2**level, 0.5 * 2**level)
            assert stack.n_series == 1
    for level in (3, -1):
        with pytest.raises(ValueError, match=f"level {level} is outside 0…2"):
            TiffStack(path, level=level)


def test_levels_of_an_ome_pyramid(tmp_path: Path) -> None:
    path, array = tmp_path / "image.ome.tif", random_image(3, 2, 64, 96)
    metadata = {"axes": "ZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    write_pyramid(path, array, levels=2, ome=True, metadata=metadata)
    for level in range(3):
        with TiffStack(path, level=level) as stack:
            check_image_stack(stack, array[..., :: 2**level, :: 2**level], "ZCYX")
            assert stack.metadata.scale == (2.0, 1.0, 0.5 * 2**level, 0.5 * 2**level)


def test_levels_in_pages_of_their_own(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(128, 192)
    with tifffile.TiffWriter(path) as writer:
        for level in range(3):
            step = 2**level
            writer.write(
                array[::step, ::step],
                tile=(32, 32),
                subfiletype=int(level > 0),
                compression="zlib",
                **SMALL,
            )
    for level in range(3):
        with TiffStack(path, level=level) as stack:
            check_image_stack(stack, array[:: 2**level, :: 2**level], "YX")


def test_a_slide_with_label_and_overview(tmp_path: Path) -> None:
    path, array = tmp_path / "slide.svs", random_image(512, 768, 3, dtype="uint8")
    label = random_image(60, 50, 3, dtype="uint8")
    rgb = {"photometric": "rgb", "metadata": None, "compression": "jpeg"}
    head = "Aperio Image Library v12.0.16\r\n768x512"
    with tifffile.TiffWriter(path) as writer:
        writer.write(array, tile=(128, 128), description=f"{head} (128x128)|MPP = 0.25", **rgb)
        writer.write(array[::8, ::8], description=f"{head} -> 96x64", **rgb)
        writer.write(array[::4, ::4], tile=(64, 64), description=f"{head} (64x64) -> 4", **rgb)
        writer.write(label, description="Aperio Image Library\r\nlabel 50x60", subfiletype=1, **rgb)
    with tifffile.TiffFile(path) as file:
        assert file.is_svs
        expected = [level.asarray() for level in file.series[0].levels]
        n_series = len(file.series)
    for level, pixels in enumerate(expected):
        with TiffStack(path, level=level) as stack:
            check_image_stack(stack, pixels, "YXC")
            assert stack.metadata.along("X") == (0.25 * 4**level, "micrometer", 0.0)
            assert stack.n_series == n_series
    with TiffStack(path, series=n_series - 1) as stack:
        assert stack.metadata.along("X") == (1.0, None, 0.0)


def test_an_image_without_a_page(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(b"II*\0\0\0\0\0")
    with pytest.raises(StackReadError, match=r"image\.tif holds no image"):
        TiffStack(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")
def test_nothing_stays_open_where_opening_fails(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    write_three(path)
    before = sorted(os.listdir("/proc/self/fd"))
    for wrong in ({"series": 3}, {"level": 1}, {"axes": "TYX", "series": 1}, {"channels": [7]}):
        with pytest.raises(ValueError, match=r"image\.tif|axes|letters"):
            TiffStack(path, **wrong)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(StackReadError):
        TiffStack(path)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_images_of_a_file_are_told_in_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    write_three(path)
    images = TiffImages(path)
    images.file.close()
    assert [image.summary for image in images.images] == [
        "IYX 3×40×50 uint16",
        "YX 20×30 uint16",
        "IYX 7×8×9 uint8",
    ]
