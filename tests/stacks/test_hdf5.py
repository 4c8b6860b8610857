"""Pixels of HDF5 datasets, however they are stored; what happens where they cannot be read."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import h5py
import numpy as np
import psutil
import pytest

from napari_tessera.stacks import StackReadError
from napari_tessera.stacks.hdf5.pixels import HDF5Pixels
from napari_tessera.stacks.hdf5.stack import HDF5Stack
from napari_tessera.testing import check_closes, check_image_stack

from .hdf5_files import Array, damage, random_image, store, where_chunk_lies
from .memory import grown_by_reading_planes

STORED: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunked": {"chunks": (2, 8, 16)},
    "gzip": {"chunks": (2, 8, 16), "compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"chunks": (1, 20, 30), "compression": "lzf"},
    "scale-offset": {"chunks": (5, 5, 5), "scaleoffset": 0},
    "growing": {"chunks": (2, 8, 16), "maxshape": (None, None, None)},
    "one chunk": {"chunks": (7, 40, 50), "compression": "gzip"},
}
TYPES = ["bool", "uint8", "int8", ">u2", "<u2", ">i4", "uint64", "float16", ">f4", "float64"]


def pixels(stack: HDF5Stack) -> Array:
    """All pixels of the first sample."""
    space = stack.data_shape[2:]
    return stack.extract_patch(0, None, (0,) * len(space), space)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "image.h5"


@pytest.mark.parametrize("settings", STORED.values(), ids=STORED)
def test_pixels_are_read_however_they_are_stored(path: Path, settings: dict[str, Any]) -> None:
    image = store(path, random_image(7, 40, 50), **settings)
    with HDF5Stack(path) as stack:
        assert stack.source == f"{path}#/image"
        assert stack.original_axes == "ZYX"
        assert stack.chunks == settings.get("chunks")
        assert stack.origins == (path,)
        check_image_stack(stack, image)
    check_closes(partial(HDF5Stack, path))


@pytest.mark.parametrize("dtype", TYPES)
def test_every_kind_of_number_is_read_as_it_is(path: Path, dtype: str) -> None:
    image = store(
        path,
        random_image(3, 40, 50, dtype=dtype) > 99
        if dtype == "bool"
        else random_image(3, 40, 50, dtype=dtype),
        chunks=(1, 16, 16),
    )
    with HDF5Stack(path, axes="CYX") as stack:
        assert stack.data_dtype == np.dtype(dtype).newbyteorder("=")
        check_image_stack(stack, image.astype(stack.data_dtype))


@pytest.mark.skipif(not h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP), reason="HDF5 without szip")
def test_szip_is_read(path: Path) -> None:
    image = store(path, random_image(7, 40, 50), chunks=(1, 20, 20), compression="szip")
    with HDF5Stack(path) as stack:
        check_image_stack(stack, image)


def test_filters_of_hdf5plugin_are_found_without_importing_it(path: Path) -> None:
    write = (
        "import sys, h5py, hdf5plugin, numpy as np; "
        "h5py.File(sys.argv[1], 'w').create_dataset("
        "'image', data=np.arange(3000).reshape(3, 20, 50), chunks=(1, 20, 20), "
        "compression=hdf5plugin.Blosc())"
    )
    subprocess.run([sys.executable, "-c", write, path], check=True, timeout=60)
    read = (
        "import sys; from napari_tessera.stacks.hdf5.stack import HDF5Stack; "
        "assert 'hdf5plugin' not in sys.modules; "
        "stack = HDF5Stack(sys.argv[1], axes='ZYX'); "
        "print(stack.extract_patch(0, None, (2, 19, 49), (1, 1, 1)).item())"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", read, path],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "2999"


def test_an_image_in_other_files_is_read(tmp_path: Path, path: Path) -> None:
    parts = [store(tmp_path / f"part{i}.h5", random_image(40, 50) + i) for i in range(3)]
    layout = h5py.VirtualLayout((3, 40, 50), "uint16")
    for i in range(3):
        layout[i] = h5py.VirtualSource(f"part{i}.h5", "image", (40, 50))
    raw = random_image(5, 40, 50)
    raw.tofile(tmp_path / "raw.bin")
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset(
            "external", raw.shape, "uint16", external=[(str(tmp_path / "raw.bin"), 0, raw.nbytes)]
        )
        file["linked"] = h5py.ExternalLink("part1.h5", "/image")
        file["soft"] = h5py.SoftLink("/linked")
    with HDF5Stack(path, "virtual") as stack:
        check_image_stack(stack, np.stack(parts))
        assert stack.origins == (path, *(tmp_path / f"part{i}.h5" for i in range(3)))
    with HDF5Stack(path, "external") as stack:
        check_image_stack(stack, raw)
        assert stack.origins == (path, tmp_path / "raw.bin")
    for name in ("linked", "soft"):
        with HDF5Stack(path, name) as stack:
            check_image_stack(stack, parts[1])
            assert stack.origins == (path, tmp_path / "part1.h5")
        check_closes(partial(HDF5Stack, path, name))


def test_missing_parts_are_named_rather_than_read_as_zeros(tmp_path: Path, path: Path) -> None:
    layout = h5py.VirtualLayout((1, 40, 50), "uint16")
    layout[0] = h5py.VirtualSource("gone.h5", "image", (40, 50))
    (tmp_path / "short.bin").write_bytes(bytes(100))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("virtual", layout)
        for name, size in (("gone", 4000), ("short", 4000)):
            external = [(str(tmp_path / f"{name}.bin"), 0, size)]
            file.create_dataset(name, (40, 50), "uint16", external=external)
    for name, file_name in (("virtual", "gone.h5"), ("gone", "gone.bin")):
        with pytest.raises(FileNotFoundError) as caught:
            HDF5Stack(path, name)
        assert str(caught.value) == (
            f"{path}#/{name} has pixels in {tmp_path / file_name}, which does not exist: put it "
            "there, or save the image as one file"
        )
    with pytest.raises(StackReadError, match=r"#/short is cut off.* byte 4000, .* at byte 100$"):
        HDF5Stack(path, "short")


def test_a_damaged_chunk_is_named_and_the_others_are_read(path: Path) -> None:
    image = store(path, random_image(8, 64, 64), chunks=(2, 32, 32), compression="gzip")
    at, size = where_chunk_lies(path, "image", (4, 32, 0))
    damage(path, at, size)
    with HDF5Stack(path) as stack:
        with pytest.raises(StackReadError) as caught:
            stack.extract_patch(0, None, (3, 0, 0), (2, 64, 64))
        message = str(caught.value)
        assert message.startswith(f"{path}#/image cannot be read at Z=3…4 Y=0…63 X=0…63: ")
        assert f"chunk at (4, 32, 0), byte {at}: OSError: " in message
        assert "\n" not in message
        good = stack.extract_patch(0, None, (0, 0, 0), (4, 64, 64))
        np.testing.assert_array_equal(good[0], image[:4])


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files as they are")
@pytest.mark.parametrize("settings", [{}, {"chunks": (1, 32, 32)}], ids=["contiguous", "chunked"])
def test_a_file_cut_off_while_open_is_not_read_as_zeros(
    path: Path, settings: dict[str, Any]
) -> None:
    store(path, random_image(8, 64, 64), **settings)
    size = path.stat().st_size
    with HDF5Stack(path) as stack:
        os.truncate(path, size // 2)
        with pytest.raises(StackReadError) as caught:
            pixels(stack)
    assert str(caught.value) == (
        f"{path}#/image cannot be read at Z=0…7 Y=0…63 X=0…63: the file had {size} bytes when it "
        f"was opened, now it has {size // 2}"
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")
def test_a_file_removed_while_open_can_be_read_to_its_end(path: Path) -> None:
    image = store(path, random_image(8, 64, 64), chunks=(1, 32, 32), compression="gzip")
    with HDF5Stack(path) as stack:
        path.unlink()
        np.testing.assert_array_equal(pixels(stack)[0], image)


def test_several_stacks_and_threads_read_one_file(path: Path) -> None:
    image = store(path, random_image(16, 96, 96), chunks=(2, 32, 32), compression="gzip")
    store(path, image[::-1], "other", chunks=(1, 96, 96))
    rng = np.random.default_rng(1)
    places = rng.integers(0, (13, 56, 56), (90, 3)).tolist()
    with (
        HDF5Stack(path, "image") as one,
        HDF5Stack(path, "image") as two,
        HDF5Stack(path, "other") as three,
        ThreadPoolExecutor(6) as threads,
    ):
        stacks = [(one, image), (two, image), (three, image[::-1])]

        def check(number: int) -> None:
            stack, expected = stacks[number % 3]
            z, y, x = places[number]
            block = stack.extract_patch(0, None, (z, y, x), (3, 40, 40))
            np.testing.assert_array_equal(block[0], expected[z : z + 3, y : y + 40, x : x + 40])

        list(threads.map(check, range(90)))


def test_chunks_have_room_where_it_helps(path: Path) -> None:
    store(path, random_image(4, 256, 256), "decoded", chunks=(1, 256, 256), compression="gzip")
    store(path, random_image(4, 256, 256), "small", chunks=(1, 256, 256))
    store(path, random_image(1, 1024, 1024), "large", chunks=(1, 1024, 1024))
    with h5py.File(path, "r") as file:
        default = file["small"].id.get_access_plist().get_chunk_cache()
    for name, kept in {
        "decoded": (51200, 64 * 2**20, 0.0),
        "small": default,
        "large": (0, 0, 0.0),
    }.items():
        with HDF5Stack(path, name) as stack:
            assert isinstance(stack._pixels, HDF5Pixels)
            assert stack._pixels._dataset.id.get_access_plist().get_chunk_cache() == kept


def test_memory_stays_bounded_while_a_larger_image_is_read(path: Path) -> None:
    with h5py.File(path, "w") as file:
        image = file.create_dataset(
            "image", (160, 1024, 1024), "uint8", chunks=(1, 1024, 1024), compression="gzip"
        )
        plane = zlib.compress(np.full((1024, 1024), 7, "uint8"))
        for z in range(160):
            image.id.write_direct_chunk((z, 0, 0), plane)
    assert grown_by_reading_planes("HDF5Stack", path, 7) < 120 * 2**20


def test_a_stack_that_is_dropped_leaves_no_file_open(path: Path) -> None:
    store(path, random_image(40, 50))
    stack = HDF5Stack(path)
    del stack
    gc.collect()
    assert path not in {Path(file.path) for file in psutil.Process().open_files()}


def test_a_program_may_end_with_a_stack_open(path: Path) -> None:
    store(path, random_image(40, 50))
    code = (
        "import sys; from napari_tessera.stacks.hdf5.stack import HDF5Stack; "
        "stack = HDF5Stack(sys.argv[1])"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, path],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert ended.stderr == ""


def test_a_file_that_fails_to_open_as_an_image_is_not_left_open(path: Path) -> None:
    store(path, random_image(40, 50))
    for settings in ({"axes": "QYX"}, {"axes": "ZYX"}, {"level": 1}, {"channels": [3]}):
        with pytest.raises(ValueError):
            HDF5Stack(path, **settings)
    assert path not in {Path(file.path) for file in psutil.Process().open_files()}


def test_levels_belong_to_imaris_images_only(path: Path) -> None:
    store(path, random_image(40, 50))
    with pytest.raises(ValueError, match=r"#/image is one dataset without levels; use level 0$"):
        HDF5Stack(path, level=1)


def test_channels_are_chosen(path: Path) -> None:
    image = store(path, random_image(3, 40, 50))
    with HDF5Stack(path, axes="CYX", channels=[2, 0]) as stack:
        check_image_stack(stack, image[[2, 0]])


def test_what_is_no_image_is_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["text"] = [["a", "b"], ["c", "d"]]
        file["compound"] = np.zeros((40, 50), [("r", "u1"), ("g", "u1")])
        file["complex"] = np.zeros((40, 50), "complex64")
        file["scalar"] = 3
        file["line"] = np.arange(40)
        file["empty"] = h5py.Empty("f4")
        file["void"] = np.zeros((40, 0))
        file["many"] = np.zeros((2,) * 7)
    expected = {
        "text": "dtype object cannot be denoised",
        "compound": "choose one of its fields",
        "complex": "real or .imag",
        "scalar": "has 0 axes",
        "line": "has 1 axes",
        "empty": "#/empty holds no pixels",
        "void": "axis X is empty",
        "many": "has 7 axes",
    }
    for name, problem in expected.items():
        with pytest.raises(ValueError) as caught:
            HDF5Stack(path, name)
        assert problem in str(caught.value)
        assert "\n" not in str(caught.value)


def test_without_h5py_the_extra_is_named(path: Path) -> None:
    code = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'h5py':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "import napari_tessera.stacks\n"
        "try:\n"
        "    napari_tessera.stacks.open_stack(sys.argv[1])\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    store(path, random_image(40, 50))
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, path],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert found.stdout == (
        f"{path} is an HDF5 file: HDF5 is read with h5py, which is not installed: "
        'pip install "napari-tessera[hdf5]"\n'
    )


def test_closing_while_another_thread_reads_is_named_as_that(path: Path) -> None:
    image = store(path, random_image(16, 64, 64), chunks=(2, 16, 16), compression="gzip")

    def read_on(stack: HDF5Stack, begun: Barrier) -> None:
        size = image.shape
        begun.wait()
        while True:
            assert np.array_equal(stack.extract_patch(0, None, (0, 0, 0), size)[0], image)

    with ThreadPoolExecutor(2) as threads:
        for _ in range(10):
            stack, begun = HDF5Stack(path), Barrier(3)
            reads = [threads.submit(read_on, stack, begun) for _ in range(2)]
            begun.wait()
            stack.close()
            for read in reads:
                with pytest.raises(ValueError, match=r"is closed; open it again") as caught:
                    read.result()
                assert "AttributeError" not in str(caught.value)
