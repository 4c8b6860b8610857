from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import StackReadError, TiffStack, open_stack

from .conformance import Array, check_image_stack

RGB_STACK = {"imagej": True, "photometric": "rgb", "metadata": {"axes": "ZYXS"}}


def random_image(*shape: int, dtype: str = "uint16") -> Array:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def whole(stack: TiffStack, sample: int = 0) -> Array:
    space = stack.data_shape[2:]
    return stack.extract_patch(sample, None, (0,) * len(space), space)


@pytest.mark.parametrize(
    ("shape", "settings", "axes"),
    [
        ((40, 50), {}, "YX"),
        ((7, 40, 50), {"imagej": True, "metadata": {"axes": "TYX"}}, "TYX"),
        ((3, 5, 2, 40, 50), {"imagej": True, "metadata": {"axes": "TZCYX"}}, "TZCYX"),
        ((40, 50, 3), {"imagej": True, "photometric": "rgb"}, "YXC"),
        (
            (7, 40, 50, 3),
            {"imagej": True, "photometric": "rgb", "metadata": {"axes": "ZYXS"}},
            "ZYXC",
        ),
        ((7, 2, 40, 50), {"ome": True, "metadata": {"axes": "ZCYX"}}, "ZCYX"),
        ((2, 7, 40, 50), {"ome": True, "metadata": {"axes": "CTYX"}}, "CTYX"),
        ((40, 50, 3), {"photometric": "rgb"}, "YXC"),
        ((3, 40, 50), {"photometric": "rgb", "planarconfig": "separate"}, "CYX"),
        ((3, 40, 50), {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 16)}, "CYX"),
        # RGB besides channels: the channels stay C
        ((2, 40, 50, 3), {"photometric": "rgb", "metadata": {"axes": "CYXS"}}, "CYXS"),
        # letters that are none of ours
        ((9, 40, 50), {"metadata": None}, "ZYX"),
        ((2, 40, 50), {"metadata": None}, "CYX"),
        ((9, 40, 50), {"metadata": {"axes": "AYX"}}, "ZYX"),
        ((9, 40, 50), {"metadata": {"axes": "EYX"}}, "CYX"),
        ((9, 8, 40, 50), {"metadata": {"axes": "PZYX"}}, "TZYX"),
        # tiles in depth
        ((20, 40, 50), {"volumetric": True, "tile": (16, 16, 16)}, "ZYX"),
    ],
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_axes_and_pixels_of_what_people_write(
    shape: tuple[int, ...],
    settings: dict[str, Any],
    axes: str,
    compression: str | None,
    tmp_path: Path,
) -> None:
    path = tmp_path / "image.tif"
    array = random_image(*shape, dtype="uint8")
    settings = {"photometric": "minisblack", **settings}
    if "imagej" not in settings:
        settings["compression"] = compression
    tifffile.imwrite(path, array, **settings)
    with open_stack(path) as stack:
        check_image_stack(stack, array, axes)
    assert stack.source == str(path.resolve())


@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_alpha_is_no_channel_unless_asked_for(
    alpha: str, planarconfig: str, tmp_path: Path
) -> None:
    path, array = tmp_path / "image.tif", random_image(4, 40, 50, dtype="uint8")
    axes, stored = "CYX", array
    if planarconfig == "contig":
        axes, stored = "YXC", np.moveaxis(array, 0, -1)
    tifffile.imwrite(
        path, stored, photometric="rgb", extrasamples=[alpha], planarconfig=planarconfig
    )
    with TiffStack(path) as stack:
        check_image_stack(stack, stored.take(range(3), axis=axes.index("C")), axes)
    with TiffStack(path, channels=range(4)) as stack:
        check_image_stack(stack, stored, axes)


def test_alpha_beside_grey_leaves_one_channel(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(40, 50, 2, dtype="uint8")
    tifffile.imwrite(path, array, photometric="minisblack", extrasamples=["unassalpha"])
    with TiffStack(path) as stack:
        check_image_stack(stack, array[..., :1], "YXC")


def test_extra_samples_of_unknown_meaning_are_channels(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(40, 50, 5, dtype="uint8")
    extra = ["unspecified", "unspecified"]
    tifffile.imwrite(path, array, photometric="rgb", extrasamples=extra)
    with TiffStack(path) as stack:
        check_image_stack(stack, array, "YXC")


def test_the_axes_given_win(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(7, 40, 50)
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "TYX"})
    with TiffStack(path, "ZYX") as stack:
        check_image_stack(stack, array, "ZYX")
    with pytest.raises(ValueError, match="ZTYX has 4 letters, the image 3 axes 7×40×50"):
        TiffStack(path, "ZTYX")


def test_calibration_of_an_imagej_file(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(
        path,
        random_image(2, 7, 40, 50),
        imagej=True,
        resolution=(1 / 0.25, 1 / 0.5),
        metadata={"axes": "TZYX", "unit": "um", "spacing": 2.0, "finterval": 0.1},
    )
    with TiffStack(path) as stack:
        known = stack.metadata
    assert known.scale == pytest.approx((0.1, 2.0, 0.5, 0.25))
    assert known.units == ("second", "micrometer", "micrometer", "micrometer")


def test_imagej_leaves_out_a_spacing_of_one_unit(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    metadata = {"axes": "ZYX", "unit": "micron"}
    tifffile.imwrite(
        path, random_image(7, 40, 50), imagej=True, resolution=(4.0, 4.0), metadata=metadata
    )
    with TiffStack(path) as stack:
        assert stack.metadata.along("Z") == (1.0, "micrometer", 0.0)


def test_calibration_of_an_ome_file(tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    tifffile.imwrite(
        path,
        random_image(4, 2, 7, 40, 50),
        photometric="minisblack",
        metadata={
            "axes": "TCZYX",
            "PhysicalSizeX": 100.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.2,
            "PhysicalSizeZ": 1.5,
            "PhysicalSizeZUnit": "µm",
            "TimeIncrement": 40.0,
            "TimeIncrementUnit": "ms",
            "Channel": {"Name": ["DAPI", "GFP"]},
        },
    )
    with TiffStack(path) as stack:
        known = stack.metadata
    assert known.axes == "TCZYX"
    assert known.scale == (40.0, 1.0, 1.5, 0.2, 100.0)
    assert known.units == ("millisecond", None, "micrometer", "micrometer", "nanometer")
    assert known.channel_names == ("DAPI", "GFP")
    with TiffStack(path, channels=[1]) as stack:
        assert stack.metadata.channel_names == ("GFP",)
        assert stack.data_shape == (4, 1, 7, 40, 50)


def test_calibration_of_plain_tags(tmp_path: Path) -> None:
    array, path = random_image(40, 50), tmp_path / "image.tif"
    tifffile.imwrite(path, array, resolution=(20_000, 40_000), resolutionunit="CENTIMETER")
    with TiffStack(path) as stack:
        assert stack.metadata.scale == (0.25, 0.5)
        assert stack.metadata.units == ("micrometer", "micrometer")
    tifffile.imwrite(path, array, resolution=(300, 300), resolutionunit="INCH")
    with TiffStack(path) as stack:
        assert stack.metadata.scale == (1.0, 1.0)
        assert stack.metadata.units == (None, None)


def write_pyramid(path: Path, array: Array) -> None:
    with tifffile.TiffWriter(path) as writer:
        common = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
        writer.write(
            array,
            subifds=1,
            resolution=(20_000, 20_000),
            resolutionunit="CENTIMETER",
            **common,
        )
        writer.write(array[..., ::2, ::2], subfiletype=1, **common)


def test_levels_of_a_pyramid(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 96)
    write_pyramid(path, array)
    with TiffStack(path) as stack:
        check_image_stack(stack, array, "YX")
    with TiffStack(path, level=1) as stack:
        check_image_stack(stack, array[::2, ::2], "YX")
        assert stack.metadata.scale == (1.0, 1.0)
    for level in (2, -1):
        with pytest.raises(ValueError, match=f"level {level} is outside 0…1"):
            TiffStack(path, level=level)


def test_an_image_in_several_files(tmp_path: Path) -> None:
    array = random_image(3, 40, 50)
    for number in range(3):
        tifffile.imwrite(tmp_path / f"{number}.ome.tif", array[number], metadata=None)
    data = "".join(
        f'<TiffData FirstT="{number}" FirstC="0" FirstZ="0" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{number}.ome.tif">urn:uuid:{number}</UUID></TiffData>'
        for number in range(3)
    )
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
        'SizeX="50" SizeY="40" SizeZ="1" SizeC="1" SizeT="3">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
    )
    first = tmp_path / "0.ome.tif"
    tifffile.imwrite(first, array[0], metadata=None, description=xml)
    with TiffStack(first) as stack:
        check_image_stack(stack, array, "TYX")


def test_a_plane_that_is_not_in_the_file_is_empty(tmp_path: Path) -> None:
    path, array = tmp_path / "image.ome.tif", random_image(3, 40, 50)
    tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": "TYX"})
    xml = tifffile.tiffcomment(path)
    tifffile.tiffcomment(path, xml.replace('SizeT="3"', 'SizeT="4"').encode())
    with TiffStack(path) as stack:
        expected = np.concatenate([array, np.zeros((1, 40, 50), array.dtype)])
        check_image_stack(stack, expected, "TYX")


def cut(path: Path, nbytes: int) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - nbytes)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pixels_cut_off_say_where(compression: str | None, tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, compression=compression, rowsperstrip=8)
    cut(path, 1000)
    with TiffStack(path) as stack:
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0), (32, 64))[0], array[:32])
        with pytest.raises(
            StackReadError, match=r"page 0 is cut off: \d+ bytes from byte \d+ wanted, \d+ there"
        ) as error:
            stack.extract_patch(0, None, (40, -3), (40, 9))
    message = str(error.value)
    assert message.startswith(f"{path.resolve()} cannot be read at Y=40…63 X=0…5: ")
    assert "\n" not in message


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_cut_off_are_missed(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    tifffile.imwrite(
        path,
        random_image(4, 64, 64),
        photometric="minisblack",
        metadata={"axes": "TYX"},
        compression=compression,
    )
    cut(path, path.stat().st_size // 2)
    size = path.stat().st_size
    with pytest.raises(
        StackReadError, match=rf"is cut off: the directory of page \d .* ends at byte {size}; copy"
    ):
        TiffStack(path)


def test_planes_of_imagej_cut_off_are_missed(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(4, 64, 64)
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        end = page.dataoffsets[0] + array.nbytes
        following = page.offset + 2 + 12 * len(page.tags)
    with path.open("r+b") as file:
        # one page for all planes, as ImageJ writes large stacks
        file.seek(following)
        file.write(bytes(4))
        file.truncate(end)
    with TiffStack(path) as stack:
        check_image_stack(stack, array, "ZYX")
    cut(path, 3000)
    with pytest.raises(
        StackReadError, match=rf"is cut off: ImageJ's 4 planes should end at byte {end}, the file"
    ):
        TiffStack(path)


def test_a_strip_that_cannot_be_decoded_says_which(tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(64, 64)
    tifffile.imwrite(path, array, compression="zlib", rowsperstrip=16)
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[2]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 8)
    with TiffStack(path) as stack:
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0), (32, 64))[0], array[:32])
        with pytest.raises(
            StackReadError, match=rf"strip 2 of page 0 at byte {offset} cannot be decoded: \w+"
        ):
            whole(stack)


@pytest.mark.parametrize("content", [b"II*\0", b"II*\0\xff\xff\0\0", b"MM\0*" + b"\1" * 60])
def test_a_file_without_an_image_is_damaged(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    with pytest.raises(StackReadError, match=r"image\.tif") as error:
        TiffStack(path)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.tif does not exist"):
        TiffStack(tmp_path / "none.tif")


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd"])
def test_compressed_files_are_read(tmp_path: Path, compression: str) -> None:
    path, image = tmp_path / "image.tif", random_image(70, 50)
    tifffile.imwrite(path, image, compression=compression, rowsperstrip=16)
    with TiffStack(path, "YX") as stack:
        patch = stack.extract_patch(0, None, (10, 5), (40, 30))
    assert np.array_equal(patch[0], image[10:50, 5:35])


def test_compression_that_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(32, 32), compression="zlib", rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(32661)
    with pytest.raises(ValueError, match=r"pixels \(32661\) cannot be read"):
        TiffStack(path)


def test_complex_pixels_are_refused_and_the_file_closed(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.complex64))
    with pytest.raises(ValueError, match=r"image\.tif: dtype complex64 cannot be denoised"):
        TiffStack(path)
    gc.collect()


def test_a_stack_that_is_dropped_closes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(32, 32))
    stack = TiffStack(path)
    whole(stack)
    del stack
    gc.collect()


def test_reading_after_close_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(32, 32))
    with TiffStack(path) as stack:
        pass
    with pytest.raises(ValueError, match="is closed"):
        whole(stack)


def test_chunks_are_strips_or_tiles(tmp_path: Path) -> None:
    array = random_image(5, 64, 64, 3, dtype="uint8")
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", rowsperstrip=16)
    tifffile.imwrite(tmp_path / "b.tif", array[..., 0], photometric="minisblack", tile=(32, 16))
    with TiffStack(tmp_path / "a.tif") as strips, TiffStack(tmp_path / "b.tif") as tiles:
        assert strips.chunks == (1, 16, 64, 3)
        assert tiles.chunks == (1, 32, 16)
