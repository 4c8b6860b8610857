from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera import open_stack
from napari_tessera.stacks import ArrayStack, SampleView, StackReadError, TiffStack, ZarrStack

from .conformance import check_image_stack


def test_chooses_by_content_and_not_by_suffix(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((20, 22)).astype(np.float32)
    tifffile.imwrite(tmp_path / "image.zarr", array)
    zarr.create_array(tmp_path / "image.tif", shape=array.shape, dtype=array.dtype)[...] = array
    for name, kind in (("image.zarr", TiffStack), ("image.tif", ZarrStack)):
        for source in (tmp_path / name, str(tmp_path / name)):
            with open_stack(source) as stack:
                assert isinstance(stack, kind)
                check_image_stack(stack, array, "YX")


@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
def test_knows_every_kind_of_tiff(start: bytes, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "byteorder": "<" if start[:1] == b"I" else ">",
        "bigtiff": b"+" in start,
    }
    path = tmp_path / "image"
    tifffile.imwrite(path, np.eye(8, dtype=np.uint16), **settings)
    assert path.read_bytes()[:4] == start
    with open_stack(path) as stack:
        check_image_stack(stack, np.eye(8, dtype=np.uint16), "YX")


def test_arrays_of_any_kind() -> None:
    array = np.random.default_rng(0).random((30, 20, 22))
    for source in (array, da.from_array(array, chunks=9)):
        with open_stack(source) as stack:
            check_image_stack(stack, array, "ZYX")
            assert stack.source == "array"
    with open_stack(array, "TYX") as stack:
        assert stack.data_shape == (30, 1, 20, 22)
    with pytest.raises(ValueError, match="an array has no level 1; use level 0"):
        open_stack(array, level=1)


def test_names_of_dimensions_count() -> None:
    class Labelled:
        dims = ("time", "y", "x")
        shape = (30, 20, 22)
        dtype = np.dtype("f4")

        def __getitem__(self, index: Any) -> Any:
            return np.zeros(self.shape, self.dtype)[index]

    with open_stack(Labelled()) as stack:
        assert stack.original_axes == "TYX"


def test_a_stack_is_given_back_as_it_is() -> None:
    stack = ArrayStack(np.zeros((3, 20, 22)), "CYX", source="mine")
    view = SampleView(stack, "C")
    assert open_stack(stack) is stack
    assert open_stack(stack, "CYX") is stack
    assert open_stack(view) is view
    with pytest.raises(ValueError, match="mine is open with axes CYX, not ZYX"):
        open_stack(stack, "ZYX")
    with pytest.raises(ValueError, match="mine is already open: choose channels and level where"):
        open_stack(stack, channels=[0])


@pytest.mark.parametrize("source", [None, 3, [1, 2], {"a": 1}, object(), "x" * 3 + "\n"])
def test_anything_else_is_refused_in_one_line(source: Any) -> None:
    error_type = FileNotFoundError if isinstance(source, str) else ValueError
    with pytest.raises(error_type) as error:
        open_stack(source)
    if not isinstance(source, str):
        assert repr(source) in str(error.value)
        assert "pass a TIFF file, a folder or pattern of them" in str(error.value)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(ValueError, match=r"…") as error:
        open_stack(list(range(1000)))
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "is a PNG file"),
        (b"\xff\xd8\xff\xe0", "is a JPEG file"),
        (b"PK\3\4", "is a ZIP file"),
    ],
)
def test_other_files_are_refused_by_name(content: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"image\.tif {name}.*pass a TIFF file, a folder or"):
        open_stack(path)


IMAGE = np.arange(1, 20 * 22 + 1, dtype=np.uint16).reshape(20, 22)


def test_a_series_of_a_tiff_file(tmp_path: Path) -> None:
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as writer:
        for image in (IMAGE, IMAGE[:9, :8]):
            writer.write(image, photometric="minisblack", metadata=None)
    for source, image in ((path, IMAGE), (f"{path}#0", IMAGE), (f"{path}#1", IMAGE[:9, :8])):
        with open_stack(source) as stack:
            check_image_stack(stack, image, "YX")
    with open_stack(f"{path}#1") as stack:
        assert stack.source == f"{path}#1"
    with pytest.raises(ValueError, match="2") as error:
        open_stack(f"{path}#2")
    assert str(path) in str(error.value)
    with pytest.raises(ValueError, match=r"series 'x' is no number; name one as two\.tif#1"):
        open_stack(f"{path}#x")


def test_a_file_whose_name_holds_the_sign(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "cells#2.tif", IMAGE)
    for source in (tmp_path / "cells#2.tif", (tmp_path / "cells#2.tif").as_uri()):
        with open_stack(source) as stack:
            check_image_stack(stack, IMAGE, "YX")
            assert stack.source == str(tmp_path / "cells#2.tif")
    with open_stack(f"{tmp_path / 'cells#2.tif'}#0") as stack:
        check_image_stack(stack, IMAGE, "YX")
    with pytest.raises(FileNotFoundError, match=r"cells#3\.tif does not exist"):
        open_stack(tmp_path / "cells#3.tif")


def test_a_dataset_of_an_hdf5_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.tif"
    with h5py.File(path, "w") as file:
        file["group/one"], file["two"] = IMAGE, IMAGE[:9]
    for name, image in (("group/one", IMAGE), ("/group/one", IMAGE), ("two", IMAGE[:9])):
        with open_stack(f"{path}#{name}") as stack:
            check_image_stack(stack, image, "YX")
            assert stack.source == f"{path}#/{name.lstrip('/')}"


def test_numpy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IMAGE)
    with open_stack(tmp_path / "a.npy") as stack:
        check_image_stack(stack, IMAGE, "YX")
    with pytest.raises(ValueError, match="has no parts to choose by '#', '0' was given"):
        open_stack(f"{tmp_path / 'a.npy'}#0")


def test_a_part_of_a_folder_is_a_path(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", name="b", shape=(4, 5), dtype="u1")
    with pytest.raises(ValueError, match=r"'b' was given: leave it out \(an array in a Zarr store"):
        open_stack(f"{tmp_path / 'a.zarr'}#b")


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "a.czi").write_bytes(b"ZISRAWFILE")
    code = f"""
import sys
sys.modules |= dict.fromkeys(("h5py", "bioio", "bioio_base"))
from napari_tessera import open_stack
for name in ("a.h5", "a.czi"):
    try:
        open_stack({str(tmp_path)!r} + "/" + name)
    except ValueError as error:
        print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    hdf5, czi = told.stdout.splitlines()
    assert hdf5.startswith(f"{tmp_path / 'a.h5'} is an HDF5 file: ")
    assert hdf5.endswith('pip install "napari-tessera[hdf5]"')
    assert czi.startswith(f"{tmp_path / 'a.czi'} is no image that can be opened; pass ")
    assert czi.endswith('pip install "napari-tessera[bioio]"')


@pytest.mark.parametrize("name", ["image.tif", "image.h5", "image.npy", "image.czi", "image"])
def test_an_empty_file_is_called_so(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(StackReadError, match=rf"{re.escape(name)} is empty \(0 bytes\): copy"):
        open_stack(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("image.tif", "a TIFF file"),
        ("image.TIFF", "a TIFF file"),
        ("image.h5", "an HDF5 file"),
        ("image.npy", "a NumPy file"),
        ("image.zarr.zip", "a ZIP file"),
    ],
)
def test_what_is_not_what_its_name_promises(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"hello")
    suffix = re.escape(Path(name).suffix)
    with pytest.raises(ValueError, match=rf"named {suffix}, but does not begin as {kind} does"):
        open_stack(tmp_path / name)


def test_what_nobody_reads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.xyz"
    path.write_bytes(b"hello")
    with pytest.raises((ValueError, OSError)) as error:
        open_stack(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "the name of the image is empty"),
        ("  ", "^.  . does not exist: a name of spaces only"),
        ("a\0b.tif", r"^'a\\x00b\.tif' holds a NUL"),
        ("a" * 5000, "a…( is too long| does not exist)"),
        ("a" * 5000 + "/*.tif", "a…( is too long| does not exist)"),
        (os.devnull, "neither a file nor a folder|does not exist"),
    ],
)
def test_what_is_no_name_of_a_file(source: str, problem: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=problem) as error:
        open_stack(source)
    assert len(str(error.value)) < 400


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "image.tif")
    for source in (tmp_path / "image.tif", [tmp_path / "image.tif"]):
        with pytest.raises((ValueError, OSError), match=r"neither a file nor a folder|is no file"):
            open_stack(source)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"level": "1"}, "level '1' is no whole number; 0 is the full size"),
        ({"level": 0.5}, "level 0.5 is no whole number"),
        ({"level": None}, "level None is no whole number"),
        ({"channels": 0}, "channels 0 are no list of whole numbers; give one like"),
        ({"channels": [0.7]}, r"channels \[0\.7\] are no list of whole numbers"),
        ({"channels": "01"}, "channels '01' are no list of whole numbers"),
    ],
)
def test_settings_of_another_type(settings: Any, problem: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 20, 22)))
    for source in (np.zeros((3, 20, 22)), tmp_path / "a.npy", ArrayStack(IMAGE, "YX")):
        with pytest.raises(ValueError, match=problem):
            open_stack(source, **settings)


def test_whole_numbers_of_any_type() -> None:
    array = np.random.default_rng(0).random((3, 20, 22))
    for channels in ((2, 0), np.array([2, 0]), iter([np.uint8(2), 0])):
        with open_stack(array, "CYX", channels=channels, level=np.int64(0)) as stack:
            check_image_stack(stack, array[[2, 0]], "CYX")


def test_urls_are_zarr(tmp_path: Path) -> None:
    group = zarr.open_group("memory://for-open-stack.zarr", mode="w")
    group.create_array("a#b", shape=IMAGE.shape, dtype="u2")[...] = IMAGE
    with open_stack("memory://for-open-stack.zarr/a#b") as stack:
        check_image_stack(stack, IMAGE, "YX")
    for url in ("nothing://here/a.zarr", "memory://not-there.zarr"):
        with pytest.raises((ValueError, FileNotFoundError), match=url):
            open_stack(url)


def test_attributes_alone_make_no_zarr(tmp_path: Path) -> None:
    (tmp_path / ".zattrs").write_text("{}")
    (tmp_path / "planes").mkdir()
    tifffile.imwrite(tmp_path / "planes" / "a.tif", IMAGE)
    for source in (tmp_path / "planes", tmp_path / "planes" / "*.tif"):
        with open_stack(source) as stack:
            check_image_stack(stack, IMAGE[None], "ZYX")
    with pytest.raises(ValueError, match="is a folder without TIFF files"):
        open_stack(tmp_path)


def test_a_folder_of_stores_is_none_of_them(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(4, 5), dtype="u1")
    with pytest.raises(
        ValueError, match=r"is a folder of Zarr stores; name one, e\.g\. .*a\.zarr$"
    ):
        open_stack(tmp_path)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.tif does not exist"):
        open_stack(tmp_path / "none.tif")
    with pytest.raises(ValueError, match="is a folder without TIFF files, and no Zarr"):
        open_stack(tmp_path)


def test_reading_images_needs_neither_torch_nor_qt_nor_napari() -> None:
    code = (
        "import sys; from napari_tessera.stacks import open_stack, SampleView; "
        "print([m for m in ('torch', 'napari', 'qtpy', 'h5py', 'bioio') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_levels_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(IMAGE, subifds=1, photometric="minisblack", metadata={"axes": "YX"})
        writer.write(IMAGE[::2, ::2], subfiletype=1, photometric="minisblack", metadata=None)
    layer = SimpleNamespace(
        name="cells", data=[IMAGE, IMAGE[::2, ::2]], rgb=False, multiscale=True,
        scale=(1, 1), translate=(0, 0),
    )  # fmt: skip
    for source, name in ((path, path), ([path], path), (layer, "layer:cells")):
        for level, pixels in enumerate((IMAGE, IMAGE[::2, ::2])):
            axes = "TYX" if isinstance(source, list) else "YX"
            with open_stack(source, axes, level=level) as stack:
                check_image_stack(stack, pixels[None] if axes == "TYX" else pixels, axes)
                assert stack.source == (f"{name}, level 1" if level else str(name))


def test_whatever_is_wrong_with_a_file_is_said_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("1.npy", np.zeros(9))
    np.save("0.npy", np.zeros((0, 9)))
    np.save("m.npy", np.zeros((3, 20, 22)))
    content = Path("m.npy").read_bytes()
    Path("negative.npy").write_bytes(content.replace(b"(3, 20, 22), } ", b"(-3, 20, 22), }"))
    tifffile.imwrite("m.tif", np.zeros((3, 20, 22), "u2"), photometric="minisblack")
    zarr.create_array("0.zarr", shape=(0, 4, 5), dtype="u2")
    with h5py.File("m.h5", "w") as file:
        file["a"] = np.zeros((0, 4, 5))
        file["b"] = np.zeros((3, 4, 5))
    for source, axes, problem in (
        ("1.npy", None, "an image of shape 9 has 1 axes"),
        ("0.npy", None, "axis Y is empty"),
        ("negative.npy", None, "cannot be opened as NumPy file"),
        ("m.npy", "QQ", "axes 'QQ': 'Q' is not an axis"),
        ("m.tif", "QQ", "axes 'QQ': 'Q' is not an axis"),
        ("m.tif", "YX", "YX has 2 letters"),
        ("0.zarr", None, "axis Z is empty"),
        ("0.zarr", "QQ", "axes 'QQ'"),
        ("m.h5#a", None, "axis Z is empty"),
        ("m.h5#b", "QQ", "axes 'QQ'"),
    ):
        with pytest.raises((ValueError, StackReadError)) as caught:
            open_stack(source, axes)
        named, found, _ = str(caught.value).partition(problem)
        assert found, str(caught.value)
        # once, as it was written or as it is found
        assert named in (f"{source}: ", f"{tmp_path / source} ")
    with pytest.raises(ValueError, match=r"^axes 'QQ'"):
        open_stack(IMAGE, "QQ")


def test_a_link_to_itself(tmp_path: Path) -> None:
    try:
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
    except OSError:
        pytest.skip("links need a permission here")
    for source in (tmp_path / "loop", tmp_path / "loop" / "a.tif", f"{tmp_path / 'loop'}#1"):
        with pytest.raises(FileNotFoundError, match=r"loop.* does not exist"):
            open_stack(source)


def test_an_archive_of_a_version_to_come(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", "{}")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 6] = 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip is a ZIP file \(unpack it\)"):
        open_stack(path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that gives no bytes")
def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(StackReadError, match=r"^/proc/self/mem cannot be read: OSError"):
        open_stack("/proc/self/mem")
