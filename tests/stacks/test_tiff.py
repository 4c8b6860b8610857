from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import TiffStack, open_stack

from .conformance import Array, check_image_stack

linux_only = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")


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
        ((5, 40, 50, 3), {"ome": True, "photometric": "rgb", "metadata": {"axes": "TYXS"}}, "TYXC"),
        (
            (5, 3, 40, 50),
            {
                "ome": True,
                "photometric": "rgb",
                "planarconfig": "separate",
                "metadata": {"axes": "ZSYX"},
            },
            "ZCYX",
        ),
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
    caplog: pytest.LogCaptureFixture,
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
    # what tifffile logs ends on the terminal
    assert caplog.messages == []


@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
def test_alpha_is_no_channel_unless_asked_for(alpha: str, tmp_path: Path) -> None:
    path, array = tmp_path / "image.tif", random_image(40, 50, 4, dtype="uint8")
    tifffile.imwrite(path, array, photometric="rgb", extrasamples=[alpha])
    with TiffStack(path) as stack:
        check_image_stack(stack, array[..., :3], "YXC")
        assert stack.left_out_channels == (3,)
    with TiffStack(path, channels=range(4)) as stack:
        check_image_stack(stack, array, "YXC")
        assert stack.left_out_channels == ()
    left_out = r"image\.tif: channel 3 is alpha and left out; channels 0,1,2,3 take it in"
    with pytest.warns(UserWarning, match=left_out):
        open_stack(path).close()
    open_stack(path, channels=[0, 1, 2, 3]).close()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("extrasamples", [None, ["unassalpha"]])
def test_four_planes_that_are_taken_for_colours_are_all_there(
    extrasamples: list[str] | None, dtype: str, tmp_path: Path
) -> None:
    """Writers that are told nothing store a volume of 3 or 4 planes as colours, plane by plane."""
    path, array = tmp_path / "volume.tif", random_image(4, 64, 66, dtype=dtype)
    tifffile.imwrite(
        path, array, photometric="rgb", planarconfig="separate", extrasamples=extrasamples
    )
    with open_stack(path) as stack:
        check_image_stack(stack, array, "CYX")
    with open_stack(path, "ZYX") as stack:
        check_image_stack(stack, array, "ZYX")


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


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.tif does not exist"):
        TiffStack(tmp_path / "none.tif")


def test_compression_that_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(32, 32), compression="zlib", rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(32661)
    with pytest.raises(ValueError, match=r"pixels \(32661\) cannot be read"):
        TiffStack(path)


def test_compression_without_a_decoder(tmp_path: Path) -> None:
    if imagecodecs.JETRAW.available:
        pytest.skip("imagecodecs has a decoder of Jetraw here")
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(32, 32), compression="zlib", rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(48124)
    with pytest.raises(
        ValueError, match=r"pixels \(JETRAW\) cannot be read: .*no decoder: .*jetraw"
    ):
        TiffStack(path)


@linux_only
def test_complex_pixels_are_refused_and_the_file_closed(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.complex64))
    with pytest.raises(ValueError, match=r"image\.tif: dtype complex64 cannot be denoised"):
        TiffStack(path)
    assert not _is_open(path)


@linux_only
def test_a_stack_that_is_dropped_closes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, random_image(32, 32))
    stack = TiffStack(path)
    whole(stack)
    assert _is_open(path)
    del stack
    gc.collect()
    assert not _is_open(path)


def _is_open(path: Path) -> bool:
    """Whether this process has a file open."""
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    # the folder that was listed is one of them, and gone
    return any(os.path.lexists(link) and os.readlink(link) == str(path) for link in links)


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
