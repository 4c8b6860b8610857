from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_tessera import open_stack
from napari_tessera.stacks import StackReadError, TiffFilesStack, read_metadata, read_origins
from napari_tessera.stacks.tiff import files as tiff_files_module

from .conformance import Array, check_image_stack


def write(folder: Path, array: Array, name: str = "img{}.tif", **settings: Any) -> list[Path]:
    """Each entry of an array's first axis as a file."""
    settings.setdefault("photometric", "minisblack")
    folder.mkdir(exist_ok=True)
    files = [folder / name.format(number) for number in range(len(array))]
    for file, page in zip(files, array, strict=True):
        tifffile.imwrite(file, page, **settings)
    return files


def numbers(*shape: int, dtype: str = "uint16") -> Array:
    return np.arange(1, np.prod(shape) + 1).reshape(shape).astype(dtype)


@pytest.mark.parametrize("axes", ["TYX", "ZYX", "SYX", "CYX"])
def test_planes_along_any_axis(axes: str, tmp_path: Path) -> None:
    array = numbers(12, 20, 22)
    files = write(tmp_path / "run", array)
    for source in (tmp_path / "run", f"{tmp_path}/run/*.tif", files, tuple(map(str, files))):
        with open_stack(source, axes) as stack:
            assert isinstance(stack, TiffFilesStack)
            check_image_stack(stack, array, axes)


@pytest.mark.parametrize(
    ("shape", "axes", "settings"),
    [
        ((4, 20, 22, 3), "TYXC", {"photometric": "rgb"}),
        ((4, 5, 20, 22), "TZYX", {}),
        ((4, 5, 20, 22), "CZYX", {"imagej": True, "metadata": {"axes": "ZYX"}}),
        ((3, 2, 5, 20, 22), "STZYX", {}),
        ((4, 5, 20, 22), "ZTYX", {"ome": True, "metadata": {"axes": "TYX"}}),
    ],
)
def test_files_of_more_than_one_plane(
    shape: tuple[int, ...], axes: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    array = numbers(*shape, dtype="uint8" if "C" in axes[1:] else "uint16")
    write(tmp_path / "run", array, **settings)
    with open_stack(tmp_path / "run", axes) as stack:
        check_image_stack(stack, array, axes)


@pytest.mark.parametrize(
    "settings",
    [
        {"compression": "zlib", "rowsperstrip": 7},
        {"compression": "lzw", "tile": (16, 16)},
        {"bigtiff": True, "byteorder": ">"},
    ],
)
def test_files_stored_in_other_ways(settings: dict[str, Any], tmp_path: Path) -> None:
    array = numbers(5, 40, 44)
    write(tmp_path / "run", array, **settings)
    with open_stack(tmp_path / "run", "TYX") as stack:
        check_image_stack(stack, array, "TYX")


@pytest.mark.parametrize(
    ("name", "axes"),
    [("img{}.tif", "ZYX"), ("cell_t{:03}.tif", "TYX"), ("z{}.tif", "ZYX"), ("w1_ch{}.tif", "CYX")],
)
def test_names_give_the_axis_else_it_is_depth(name: str, axes: str, tmp_path: Path) -> None:
    write(tmp_path / "run", numbers(3, 20, 22), name)
    with open_stack(tmp_path / "run") as stack:
        assert stack.original_axes == axes


def test_colours_keep_their_letter(tmp_path: Path) -> None:
    array = numbers(3, 20, 22, 3, dtype="uint8")
    write(tmp_path / "run", array, "c{}.tif", photometric="rgb")
    with open_stack(tmp_path / "run") as stack:
        check_image_stack(stack, array, "ZYXC")


def test_alpha_is_no_channel(tmp_path: Path) -> None:
    array = numbers(3, 20, 22, 4, dtype="uint8")
    for name, extrasamples in (("last", ["unassalpha"]), ("inside", ["unassalpha", 0])):
        pixels = array if name == "last" else np.concatenate([array, array[..., :1]], axis=-1)
        write(tmp_path / name, pixels, photometric="rgb", extrasamples=extrasamples)
    left_out = "last: channel 3 is alpha and left out of every file; open a file by itself"
    with pytest.warns(UserWarning, match=left_out) as warned:
        stack = open_stack(tmp_path / "last")
    assert len(warned) == 1
    with stack:
        check_image_stack(stack, array[..., :3], "ZYXC")
    with pytest.raises(ValueError, match=r"img0\.tif has alpha before its last channel"):
        open_stack(tmp_path / "inside")


def test_names_that_count_two_axes_are_no_one_axis(tmp_path: Path) -> None:
    for t in range(2):
        write(tmp_path / "run", numbers(3, 20, 22), f"t{t}_z{{}}.tif")
    with pytest.raises(ValueError, match=r"the names count T and Z, which one axis cannot: .*TYX"):
        open_stack(tmp_path / "run")
    with open_stack(tmp_path / "run" / "t1_*.tif") as stack:
        assert (stack.original_axes, stack.original_data_shape) == ("ZYX", (3, 20, 22))
    with open_stack(tmp_path / "run", "TYX") as stack:
        assert stack.original_data_shape == (6, 20, 22)


def test_one_file_is_a_stack_of_one(tmp_path: Path) -> None:
    array = numbers(1, 20, 22)
    write(tmp_path / "run", array)
    with open_stack(tmp_path / "run") as stack:
        check_image_stack(stack, array, "ZYX")
        assert stack.source == str(tmp_path / "run")


def test_pixel_size_and_units_are_those_of_the_first_file(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"imagej": True, "resolution": (4.0, 2.0)}
    write(tmp_path / "run", numbers(3, 20, 22), metadata={"unit": "um"}, **settings)
    with open_stack(tmp_path / "run", "TYX") as stack:
        assert read_metadata(stack).axes == "TYX"
        assert read_metadata(stack).scale == (1.0, 0.5, 0.25)
        assert read_metadata(stack).units == (None, "micrometer", "micrometer")


def test_a_level_of_pyramids(tmp_path: Path) -> None:
    array = numbers(3, 64, 64)
    (tmp_path / "run").mkdir()
    for number, page in enumerate(array):
        with tifffile.TiffWriter(tmp_path / "run" / f"img{number}.tif") as writer:
            writer.write(page, subifds=1, tile=(16, 16))
            writer.write(page[::2, ::2], subfiletype=1, tile=(16, 16))
    with open_stack(tmp_path / "run", "TYX", level=1) as stack:
        check_image_stack(stack, array[:, ::2, ::2], "TYX")
        assert read_metadata(stack).scale == (1.0, 2.0, 2.0)
    with pytest.raises(ValueError, match=r"img0\.tif: level 2 is outside 0…1"):
        open_stack(tmp_path / "run", "TYX", level=2)


def test_channels_of_files(tmp_path: Path) -> None:
    array = numbers(3, 20, 22)
    write(tmp_path / "run", array)
    with open_stack(tmp_path / "run", "CYX", channels=[2, 0]) as stack:
        check_image_stack(stack, array[[2, 0]], "CYX")


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (numbers(20, 21), "YX 20×21 uint16"),
        (numbers(20, 22, dtype="uint8"), "YX 20×22 uint8"),
        (numbers(4, 20, 22), "CYX 4×20×22 uint16"),
    ],
)
@pytest.mark.parametrize("number", [1, 4, 7])
def test_a_file_that_differs_is_named(
    number: int, other: Array, found: str, tmp_path: Path
) -> None:
    files = write(tmp_path / "run", numbers(8, 20, 22))
    tifffile.imwrite(files[number], other, photometric="minisblack")
    with pytest.raises(
        ValueError, match=rf"img{number}\.tif has {found}, but img0\.tif has YX 20×22"
    ):
        open_stack(tmp_path / "run", "TYX")


def test_of_many_files_most_are_checked_when_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff_files_module, "_CHECKED_AT_ONCE", 5)
    files = write(tmp_path / "run", numbers(30, 20, 22))
    tifffile.imwrite(files[7], numbers(22, 20))
    with open_stack(tmp_path / "run", "TYX") as stack:
        stack.extract_patch(6, None, (0, 0), (20, 22))
        with pytest.raises(StackReadError) as error:
            stack.extract_patch(7, None, (0, 0), (20, 22))
    assert str(error.value).startswith(f"{tmp_path / 'run'} cannot be read at T=7 Y=0…19 X=0…21: ")
    assert f"{files[7]} has YX 22×20 uint16, but img0.tif has YX 20×22 uint16" in str(error.value)
    # the largest, the smallest and the last are looked at in any case
    for number, other in ((8, numbers(40, 22)), (9, numbers(2, 2)), (29, numbers(22, 20))):
        files = write(tmp_path / "run", numbers(30, 20, 22))
        tifffile.imwrite(files[number], other)
        with pytest.raises(ValueError, match=rf"img{number}\.tif has YX"):
            open_stack(tmp_path / "run", "TYX")


def test_files_of_more_planes_need_axes(tmp_path: Path) -> None:
    write(tmp_path / "run", numbers(3, 5, 20, 22), imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(
        ValueError, match=r"img0\.tif has ZYX 5×20×22 uint16, more than one.*axes='TZYX'"
    ):
        open_stack(tmp_path / "run")
    with pytest.raises(ValueError, match=r"axes TYX have 3 letters; the first counts the files"):
        open_stack(tmp_path / "run", "TYX")
    with pytest.raises(ValueError, match="'Z' stands 2 times"):
        open_stack(tmp_path / "run", "ZZYX")


def test_a_part_of_a_larger_image_is_not_one_plane(tmp_path: Path) -> None:
    array = numbers(2, 20, 22)
    names = ["img0.ome.tif", "img1.ome.tif"]
    planes = "".join(
        f'<TiffData FirstT="{t}" IFD="0"><UUID FileName="{name}">urn:uuid:{t}</UUID></TiffData>'
        for t, name in enumerate(names)
    )
    for t, name in enumerate(names):
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{t}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZTC" Type="uint16" '
            'SizeX="22" SizeY="20" SizeZ="1" SizeT="2" SizeC="1"><Channel ID="Channel:0:0" '
            f'SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(tmp_path / name, array[t], description=xml, metadata=None)
    with open_stack(tmp_path / names[0]) as stack:
        check_image_stack(stack, array, "TYX")
    with pytest.raises(ValueError, match=r"img0\.ome\.tif is one of the 2 files of an OME-TIFF"):
        open_stack(tmp_path)


def test_a_file_that_is_no_tiff(tmp_path: Path) -> None:
    files = write(tmp_path / "run", numbers(3, 20, 22))
    files[1].write_bytes(b"")
    with pytest.raises(StackReadError, match=r"img1\.tif is empty; put a TIFF"):
        open_stack(tmp_path / "run")


def test_a_file_that_is_gone_or_cut_off_while_open(tmp_path: Path) -> None:
    array = numbers(80, 20, 22)
    files = write(tmp_path / "run", array)
    with open_stack(tmp_path / "run", "TYX") as stack:
        # the first are not among the 64 that were used last
        files[3].unlink()
        os.truncate(files[4], 400)
        os.truncate(files[79], 400)
        reasons = ((3, "does not exist"), (4, "was replaced or written to"), (79, "cut off: "))
        for number, reason in reasons:
            message = rf"run cannot be read at T={number} Y=2…5 X=3…7: .*img{number}\.tif.*{reason}"
            with pytest.raises(StackReadError, match=message):
                stack.extract_patch(number, None, (2, 3), (4, 5))
        np.testing.assert_array_equal(stack.extract_patch(5, None, (0, 0), (20, 22))[0], array[5])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed in /proc")
def test_few_files_are_open_and_none_is_left_open(tmp_path: Path) -> None:
    def open_files() -> int:
        gc.collect()
        return sum(
            str(tmp_path) in os.readlink(f"/proc/self/fd/{name}")
            for name in os.listdir("/proc/self/fd")
            if os.path.lexists(f"/proc/self/fd/{name}")
        )

    array = numbers(100, 20, 22)
    write(tmp_path / "run", array)
    with open_stack(tmp_path / "run") as stack:
        np.testing.assert_array_equal(
            stack.extract_patch(0, None, (0, 0, 0), (100, 20, 22))[0], array
        )
        assert 0 < open_files() <= 64
    assert open_files() == 0
    stack = open_stack(tmp_path / "run")
    stack.extract_patch(0, None, (0, 0, 0), (9, 9, 9))
    del stack
    assert open_files() == 0
    with pytest.raises(ValueError, match="axes TZYX have 4 letters"):
        open_stack(tmp_path / "run", "TZYX")
    assert open_files() == 0


@pytest.mark.parametrize("number", [0, 3])
def test_a_file_that_is_replaced_meanwhile(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff_files_module, "_OPEN_FILES", 4)
    monkeypatch.setattr(tiff_files_module, "_FEWEST_OPEN", 1)
    array = numbers(12, 20, 22)
    files = write(tmp_path / "run", array)
    with open_stack(tmp_path / "run") as stack:
        # the first again, as the last four are open
        assert stack.extract_patch(0, None, (number, 0, 0), (1, 20, 22)).any()
        stack.extract_patch(0, None, (6, 0, 0), (6, 20, 22))
        tifffile.imwrite(tmp_path / "new.tif", array[0] + 7, photometric="minisblack")
        os.utime(tmp_path / "new.tif", ns=(10**9, 10**9))
        os.replace(tmp_path / "new.tif", files[number])
        problem = rf"img{number}\.tif was replaced or written to since it was opened: open the"
        with pytest.raises(StackReadError, match=problem):
            stack.extract_patch(0, None, (number, 0, 0), (1, 20, 22))
        stack.extract_patch(0, None, (number + 1, 0, 0), (1, 20, 22))


def test_large_files_keep_fewer_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_files_module, "_OPEN_BYTES", 6 * 20 * 22 * 2)
    array = numbers(8, 20, 22)
    write(tmp_path / "run", array)
    with TiffFilesStack(tmp_path / "run") as stack:
        check_image_stack(stack, array, "ZYX")
        assert isinstance(stack._data, tiff_files_module.TiffFilesPixels)
        assert len(stack._data.pool) == 6


def test_a_header_is_read_once_while_a_file_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    original = tiff_files_module.TiffStack

    class Counted(original):  # type: ignore[misc, valid-type]
        def __init__(self, path: Path, **settings: Any) -> None:
            opened.append(path.name)
            super().__init__(path, **settings)

    write(tmp_path / "run", numbers(10, 20, 22))
    monkeypatch.setattr(tiff_files_module, "TiffStack", Counted)
    with open_stack(tmp_path / "run") as stack:
        opened.clear()
        for at in range(10):
            stack.extract_patch(0, None, (at, 2, 2), (4, 4, 4))
    assert opened == []


def test_the_files_are_where_the_pixels_come_from(tmp_path: Path) -> None:
    files = write(tmp_path / "run", numbers(3, 20, 22))
    with open_stack(tmp_path / "run") as stack:
        assert read_origins(stack) == tuple(files)
        assert stack.chunks == (1, 20, 22)
    with open_stack(files[1:]) as stack:
        assert stack.source.startswith(f"{files[1]}…img2.tif (2 files, ")


def test_lists_with_the_same_ends_have_names_of_their_own(tmp_path: Path) -> None:
    first, second, third, last = write(tmp_path / "run", numbers(4, 20, 22))
    names = set()
    for files in ([first, second, last], [first, third, last], [first, last], [last, first]):
        with open_stack(files) as stack, open_stack(list(map(str, files))) as again:
            assert stack.source == again.source
            names.add(stack.source)
    assert len(names) == 4


def test_folders_without_an_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder without TIFF files, and no Zarr metadata; p"):
        open_stack(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"\*\.tif stands for no file"):
        open_stack(tmp_path / "*.tif")
    with pytest.raises(ValueError, match="has no parts to choose by '#'"):
        open_stack(f"{tmp_path}#1")
