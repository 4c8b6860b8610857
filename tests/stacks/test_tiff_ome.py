"""OME-XML: what it says, and images in one file and in several."""

from __future__ import annotations

import os
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import StackReadError, TiffStack, read_origins
from napari_tessera.stacks.tiff.ome import OmePlanes, read_ome

from .conformance import check_image_stack
from .ome_files import (
    binary_only,
    document,
    image_element,
    stack_of,
    tiff_data,
    write_pages,
    write_time_series,
)


def test_where_a_plane_is_said_to_be() -> None:
    data = [
        tiff_data("a.tif", ifd=2, count=2),
        tiff_data("b.tif", count=None, T=1),
        tiff_data("c.tif", T=2, Z=1),
    ]
    element = image_element(data, sizes={"Z": 2, "T": 4}, shape=(4, 5), name="cells")
    description = read_ome(document(element, own="a.tif"), "a.tif")
    assert description is not None
    (image,) = description.images
    assert (image.name, image.order, image.sizes) == ("cells", "TCZ", (4, 1, 2))
    assert image.planes[0] == OmePlanes(first=0, page=2, count=2, file=None)
    assert description.files == ("b.tif", "c.tif")
    # a block of unknown length ends where the next begins
    assert [image.where(plane) for plane in range(6)] == [
        (2, None),
        (3, None),
        (0, "b.tif"),
        (1, "b.tif"),
        (2, "b.tif"),
        (0, "c.tif"),
    ]


@pytest.mark.parametrize(
    "xml",
    ["", "<OME", "no XML", '<OME><Image><Pixels SizeX="1"/></Image></OME>', document("<Image/>")],
)
def test_a_description_that_makes_no_sense_says_nothing(xml: str) -> None:
    description = read_ome(xml, "a.tif")
    assert description is None or description.images == ()


def test_a_file_under_another_name_is_known_by_its_identifier() -> None:
    element = image_element([tiff_data("old.ome.tif")], sizes={}, shape=(4, 5))
    description = read_ome(document(element, own="old.ome.tif"), "new.ome.tif")
    assert description is not None
    assert description.files == ()


@pytest.mark.parametrize("order", ["".join(letters) for letters in permutations("ZCT")])
def test_every_order_of_planes(order: str, tmp_path: Path) -> None:
    sizes = {"Z": 2, "C": 3, "T": 4}
    axes = order[::-1]
    array = stack_of(*(sizes[letter] for letter in axes), 6, 7)
    element = image_element(
        [tiff_data(None, count=24)], sizes=sizes, shape=(6, 7), order=f"XY{order}"
    )
    path = tmp_path / "image.ome.tif"
    write_pages(path, array, document(element))
    with TiffStack(path) as stack:
        check_image_stack(stack, array, f"{axes}YX")


@pytest.mark.parametrize("described", [None, [0], [2]])
@pytest.mark.parametrize("opened", [0, 1, 2])
def test_any_member_stands_for_the_whole(
    described: list[int] | None,
    opened: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    array = stack_of(3, 20, 30)
    paths = write_time_series(tmp_path, array, described=described)
    with TiffStack(paths[opened]) as stack:
        check_image_stack(stack, array, "TYX")
        assert stack.source == str(paths[opened])
        assert set(read_origins(stack)) == set(paths)
        assert stack.n_series == 1
    assert caplog.messages == []


def test_a_description_in_a_file_of_its_own(tmp_path: Path) -> None:
    array = stack_of(3, 20, 30)
    names = [f"t{number}.ome.tif" for number in range(3)]
    data = [tiff_data(name, T=number) for number, name in enumerate(names)]
    element = image_element(data, sizes={"T": 3}, shape=(20, 30))
    companion = tmp_path / "set.companion.ome"
    companion.write_text(document(element, own=companion.name), "utf-8")
    for name, page in zip(names, array, strict=True):
        write_pages(tmp_path / name, page, binary_only(companion.name, name))
    for name in names:
        with TiffStack(tmp_path / name) as stack:
            check_image_stack(stack, array, "TYX")


def test_a_description_that_is_not_there(tmp_path: Path) -> None:
    paths = write_time_series(tmp_path, stack_of(3, 20, 30), described=[0])
    paths[0].unlink()
    with pytest.raises(StackReadError, match=r"t0\.ome\.tif does not exist; put it there") as error:
        TiffStack(paths[1])
    assert str(error.value).startswith(f"{paths[1]} is part of an image that t0.ome.tif describes")


def test_files_of_a_set_may_differ_in_how_they_are_stored(tmp_path: Path) -> None:
    array = stack_of(3, 40, 50)
    paths = write_time_series(tmp_path, array)
    xml = tifffile.tiffcomment(paths[1])
    write_pages(paths[1], array[1], xml, byteorder=">", compression="zlib", tile=(16, 16))
    write_pages(paths[2], array[2], tifffile.tiffcomment(paths[2]), rowsperstrip=7)
    with TiffStack(paths[0]) as stack:
        check_image_stack(stack, array, "TYX")


def test_a_member_of_another_shape_is_named(tmp_path: Path) -> None:
    paths = write_time_series(tmp_path, stack_of(3, 20, 30))
    write_pages(paths[1], stack_of(1, 20, 31), tifffile.tiffcomment(paths[1]))
    with TiffStack(paths[0]) as stack:
        stack.extract_patch(0, None, (0, 0), (20, 30))
        with pytest.raises(StackReadError, match=r"at T=1 .*: page 0 of t1\.ome\.tif has pixels"):
            stack.extract_patch(1, None, (0, 0), (20, 30))


@pytest.mark.parametrize("opened", [0, 2])
def test_a_missing_member_is_missed_when_its_pixels_are_asked_for(
    opened: int, tmp_path: Path
) -> None:
    array = stack_of(4, 20, 30)
    paths = write_time_series(tmp_path, array)
    paths[1].unlink()
    with TiffStack(paths[opened]) as stack:
        assert stack.original_data_shape == (4, 20, 30)
        np.testing.assert_array_equal(stack.extract_patch(3, None, (0, 0), (20, 30))[0], array[3])
        with pytest.raises(StackReadError) as error:
            stack.extract_patch(1, None, (0, 0), (9, 9))
    assert str(error.value) == (
        f"{paths[opened]} cannot be read at T=1 Y=0…8 X=0…8: {paths[1]} does not exist, whose page "
        "0 it is: put it there"
    )


def test_a_missing_member_of_files_without_identifiers_is_not_taken_for_the_one_that_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, array = tmp_path / "t0.ome.tif", stack_of(20, 30)
    data = [tiff_data("t0.ome.tif", T=0), tiff_data("t1.ome.tif", T=1)]
    write_pages(path, array, document(image_element(data, sizes={"T": 2}, shape=(20, 30))))
    with TiffStack(path) as stack:
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0), (20, 30))[0], array)
        with pytest.raises(StackReadError) as error:
            stack.extract_patch(1, None, (0, 0), (9, 9))
    assert str(error.value).endswith("t1.ome.tif does not exist, whose page 0 it is: put it there")
    told = "t1.ome.tif cannot be read, and its planes are missing: put it there"
    assert caplog.messages == [f"{path}: {told}"]


def test_an_image_of_which_every_file_is_missing_keeps_its_number(tmp_path: Path) -> None:
    array = stack_of(2, 20, 30)
    elements = [
        image_element([tiff_data(f"{n}.ome.tif")], sizes={}, shape=(20, 30), name=f"field {n}")
        for n in range(2)
    ]
    for number in range(2):
        name = f"{number}.ome.tif"
        write_pages(tmp_path / name, array[number], document(*elements, own=name))
    with TiffStack(tmp_path / "1.ome.tif", series=1) as stack:
        check_image_stack(stack, array[1], "YX")
        assert stack.n_series == 2
    with TiffStack(tmp_path / "1.ome.tif") as stack:
        check_image_stack(stack, array[0], "YX")
    (tmp_path / "0.ome.tif").unlink()
    with TiffStack(tmp_path / "1.ome.tif", series=1) as stack:
        check_image_stack(stack, array[1], "YX")
    with pytest.raises(StackReadError, match=r"image 0 is in files that do not exist: 0\.ome\.tif"):
        TiffStack(tmp_path / "1.ome.tif")
    with pytest.raises(ValueError, match=r"0: field 0 \(its files are missing\); 1: field 1 YX 20"):
        TiffStack(tmp_path / "1.ome.tif", series=2)


def test_a_single_file_that_was_renamed(tmp_path: Path) -> None:
    array = stack_of(3, 20, 30)
    element = image_element([tiff_data("old.ome.tif", count=3)], sizes={"T": 3}, shape=(20, 30))
    path = tmp_path / "new.ome.tif"
    # with and without an identifier of the file
    for xml in (document(element, own="old.ome.tif"), document(element)):
        write_pages(path, array, xml)
        with TiffStack(path) as stack:
            check_image_stack(stack, array, "TYX")


def test_a_plane_that_no_element_speaks_of_is_empty(tmp_path: Path) -> None:
    path, array = tmp_path / "image.ome.tif", stack_of(3, 20, 30)
    element = image_element([tiff_data(None, count=3)], sizes={"T": 4}, shape=(20, 30))
    write_pages(path, array, document(element))
    with TiffStack(path) as stack:
        assert stack.count_absent() == (1, 4)
        expected = np.concatenate([array, np.zeros((1, 20, 30), array.dtype)])
        check_image_stack(stack, expected, "TYX")
        assert stack.absent_chunks == 1


def test_a_plane_that_should_be_in_a_page_that_is_not_there(tmp_path: Path) -> None:
    path, array = tmp_path / "image.ome.tif", stack_of(3, 20, 30)
    element = image_element([tiff_data(None, count=4)], sizes={"T": 4}, shape=(20, 30))
    write_pages(path, array, document(element))
    with TiffStack(path) as stack:
        np.testing.assert_array_equal(stack.extract_patch(2, None, (0, 0), (20, 30))[0], array[2])
        with pytest.raises(StackReadError, match=r"at T=3 .*image\.ome\.tif has no page 3"):
            stack.extract_patch(3, None, (0, 0), (20, 30))


def test_a_member_that_is_cut_off_is_missed_at_once(tmp_path: Path) -> None:
    paths = write_time_series(tmp_path, stack_of(3, 20, 30))
    with tifffile.TiffFile(paths[1]) as file:
        start = file.pages.first.offset
    with paths[1].open("r+b") as member:
        member.truncate(start + 30)
    with pytest.raises(StackReadError, match=r"t1\.ome\.tif is cut off: the directory of page 0"):
        TiffStack(paths[0])


def test_a_member_that_is_no_tiff(tmp_path: Path) -> None:
    paths = write_time_series(tmp_path, stack_of(3, 20, 30))
    paths[1].write_bytes(b"not an image at all")
    with pytest.raises(StackReadError, match=r"t1\.ome\.tif, a part of .*t0\.ome\.tif, is no TIFF"):
        TiffStack(paths[0])


def test_more_planes_than_pages_could_ever_fill(tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    element = image_element([tiff_data(None)], sizes={"T": 10**9}, shape=(20, 30))
    write_pages(path, stack_of(1, 20, 30), document(element))
    with pytest.raises(StackReadError, match="OME-XML tells of 1000000000 planes, there are 1"):
        TiffStack(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")
def test_only_some_files_are_open_and_all_are_closed(tmp_path: Path) -> None:
    array = stack_of(40, 8, 9)
    paths = write_time_series(tmp_path, array)

    def n_open() -> int:
        # not those of other threads, as servers of other tests have
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return sum(str(tmp_path) in os.readlink(x) for x in links if os.path.lexists(x))

    with TiffStack(paths[0]) as stack:
        assert n_open() == 1
        for number in [*range(40), *range(40)]:
            np.testing.assert_array_equal(
                stack.extract_patch(number, None, (0, 0), (8, 9))[0], array[number]
            )
            assert n_open() <= 17
    assert n_open() == 0


def test_a_member_removed_while_open(tmp_path: Path) -> None:
    array = stack_of(3, 20, 30)
    paths = write_time_series(tmp_path, array)
    with TiffStack(paths[0]) as stack:
        stack.extract_patch(1, None, (0, 0), (4, 4))
        for path in paths:
            path.unlink()
        # what is open is still there; what is not cannot be opened any more
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0), (20, 30))[0], array[0])
        np.testing.assert_array_equal(stack.extract_patch(1, None, (0, 0), (20, 30))[0], array[1])
        with pytest.raises(StackReadError, match=r"t2\.ome\.tif: No such file") as error:
            stack.extract_patch(2, None, (0, 0), (4, 4))
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_among_the_members_is_not_waited_for(tmp_path: Path) -> None:
    paths = write_time_series(tmp_path, stack_of(3, 20, 30))
    paths[2].unlink()
    os.mkfifo(paths[2])
    message = rf"t2\.ome\.tif, to which {paths[0]} refers, is no regular file; put a TIFF"
    with pytest.raises(StackReadError, match=message):
        TiffStack(paths[0])
    with pytest.raises(StackReadError, match=r"t2\.ome\.tif is no regular file"):
        TiffStack(paths[2])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_description_in_what_has_no_end(tmp_path: Path) -> None:
    member = tmp_path / "member.ome.tif"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for master, reason in (
        ("pipe", "is no regular file"),
        ("/dev/zero", "is no regular file"),
        # files of the kernel are of no bytes, for those who ask
        ("/proc/kmsg", "is empty"),
        ("empty", "is empty"),
    ):
        if not (tmp_path / master).exists():
            continue
        write_pages(member, stack_of(1, 20, 30), binary_only(master, member.name))
        with pytest.raises(StackReadError, match=rf"{master}, to which {member} refers, {reason}"):
            TiffStack(member)


def test_a_description_that_is_too_long_to_be_one(tmp_path: Path) -> None:
    member, master = tmp_path / "member.ome.tif", tmp_path / "pixels.raw"
    with master.open("wb") as file:
        file.truncate(2**30)
    write_pages(member, stack_of(1, 20, 30), binary_only(master.name, member.name))
    with pytest.raises(StackReadError, match=r"pixels\.raw should describe, .* 1073741824 bytes"):
        TiffStack(member)
