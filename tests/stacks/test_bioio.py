"""Microscopes' own formats through bioio: scenes, pixels, metadata, and what goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibCZIrw import czi as czi_library

from napari_tessera.stacks import StackReadError, open_stack, read_metadata
from napari_tessera.stacks.bioio.pixels import DaskPixels, ReaderPixels
from napari_tessera.stacks.bioio.stack import BioioStack
from napari_tessera.testing import check_closes, check_image_stack

from .bioio_files import random_image, subblock_data, write_czi, write_dv, write_lif
from .conformance import Array, check_patch_equals, patches
from .memory import grown_by_reading_planes

STEPS = {"x": 1e-7, "y": 2e-7, "z": 5e-7}


@pytest.fixture(scope="module")
def czi(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Array]:
    """One scene with all axes."""
    path = tmp_path_factory.mktemp("czi") / "cells.czi"
    image = random_image(3, 2, 4, 33, 47)
    write_czi(path, [image], channels=["DAPI", "GFP"], steps=STEPS)
    return path, image


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Array]]:
    """Two scenes of different sizes."""
    path = tmp_path_factory.mktemp("scenes") / "wells.czi"
    images = {"well A1": random_image(2, 2, 3, 40, 30), "B2": random_image(1, 2, 1, 25, 35) + 1}
    write_czi(path, list(images.values()), names=list(images), channels=["DAPI", "GFP"])
    return path, images


def test_a_czi_conforms(czi: tuple[Path, Array]) -> None:
    path, image = czi
    with BioioStack(path) as stack:
        assert stack.source == str(path)
        assert stack.origins == (path,)
        assert stack.original_axes == "TCZYX"
        assert stack.chunks == (1, 1, 1, 33, 47)
        assert isinstance(stack._pixels, ReaderPixels)
        check_image_stack(stack, image)
    check_closes(partial(BioioStack, path))


@given(data=st.data())
@settings(max_examples=40)
def test_any_patch_of_a_czi(data: st.DataObject, czi: tuple[Path, Array]) -> None:
    path, image = czi
    with BioioStack(path) as stack:
        check_patch_equals(stack, image, "TCZYX", data.draw(patches(stack.data_shape)))


def test_metadata_of_a_czi(czi: tuple[Path, Array]) -> None:
    path, _ = czi
    with open_stack(path, channels=[1]) as stack:  # type: ignore[attr-defined]
        known = read_metadata(stack)
    assert known.axes == "TCZYX"
    assert known.scale == pytest.approx((1, 1, 0.5, 0.2, 0.1))
    assert known.units == (None, None, "micrometer", "micrometer", "micrometer")
    assert known.channel_names == ("GFP",)


@pytest.mark.parametrize(
    ("image", "axes", "kept"),
    [
        (random_image(1, 1, 1, 40, 30), "YX", (0, 0, 0)),
        (random_image(1, 1, 1, 40, 30, dtype="uint8"), "YX", (0, 0, 0)),
        (random_image(1, 1, 5, 40, 30), "ZYX", (0, 0)),
        (random_image(5, 1, 1, 40, 30), "TYX", np.s_[:, 0, 0]),
        (random_image(1, 3, 1, 40, 30), "CYX", np.s_[0, :, 0]),
        (random_image(1, 1, 2, 40, 30).astype("float32") / 7, "ZYX", (0, 0)),
        (random_image(1, 1, 1, 40, 30, 3, dtype="uint8"), "YXC", (0, 0, 0)),
        (random_image(4, 1, 2, 40, 30, 3, dtype="uint8"), "TZYXC", np.s_[:, 0]),
    ],
)
@pytest.mark.parametrize("compression", ["uncompressed:", "zstd1:ExplicitLevel=2"])
def test_axes_of_one_entry_are_left_out(
    image: Array, axes: str, kept: Any, compression: str, tmp_path: Path
) -> None:
    path = tmp_path / "cells.czi"
    write_czi(path, [image], compression=compression)
    with BioioStack(path) as stack:
        assert stack.original_axes == axes
        assert stack.metadata.channel_names is None
        check_image_stack(stack, image[kept])


def test_axes_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "cells.czi"
    image = random_image(5, 1, 1, 40, 30)
    write_czi(path, [image], steps=STEPS)
    with BioioStack(path, axes="ZYX") as stack:
        check_image_stack(stack, image[:, 0, 0])
        # the depth of the one plane is not the step in time
        assert stack.metadata.along("Z") == (1.0, None, 0.0)
    with BioioStack(path, axes="TCZYX") as stack:
        check_image_stack(stack, image)
        assert stack.metadata.along("Z")[:2] == (0.5, "micrometer")
    with pytest.raises(ValueError, match="CTYX has 4 letters, the image 3 axes 5×40×30"):
        BioioStack(path, axes="CTYX")


def test_scenes_are_stacks_of_their_own(scenes: tuple[Path, dict[str, Array]]) -> None:
    path, images = scenes
    for number, (name, image) in enumerate(images.items()):
        for scene in (name, number, str(number)):
            with BioioStack(path, scene) as stack:
                assert stack.source == f"{path}#{name}"
                check_image_stack(stack, image.squeeze())
        with open_stack(f"{path}#{name}") as stack:  # type: ignore[attr-defined]
            assert stack.source == f"{path}#{name}"
    with pytest.raises(ValueError) as caught:
        BioioStack(path)
    assert str(caught.value) == (
        f"{path} holds 2 scenes; name one of them, e.g. {path}#well A1; they are well A1, B2"
    )
    for missing in ("A1", "2", 2, -1):
        with pytest.raises(ValueError, match=r"has no scene .*; it has well A1, B2$"):
            BioioStack(path, missing)


@pytest.mark.parametrize("tile", [None, (20, 20)], ids=["planes", "tiles"])
@pytest.mark.parametrize("names", [(), ("a", "b", "c")], ids=["not listed", "listed"])
def test_every_scene_is_read_listed_or_not_smaller_or_larger(
    tmp_path: Path, names: tuple[str, ...], tile: tuple[int, int] | None
) -> None:
    path = tmp_path / "cells.czi"
    sizes = [(1, 1, 2, 40, 60), (1, 1, 2, 80, 100), (2, 2, 3, 20, 40)]
    images = [random_image(*size) for size in sizes]
    write_czi(path, images, names=names, tile=tile)
    called = names or ("0", "1", "2")
    with pytest.raises(ValueError) as caught:
        BioioStack(path)
    assert str(caught.value) == (
        f"{path} holds 3 scenes; name one of them, e.g. {path}#{called[0]}; they are "
        f"{', '.join(called)}"
    )
    for number, (name, image) in enumerate(zip(called, images, strict=True)):
        for scene in (name, number):
            with BioioStack(path, scene) as stack:
                assert stack.source == f"{path}#{name}"
                check_image_stack(stack, image.squeeze())
    with pytest.raises(ValueError, match=r"has no scene '3'; it has "):
        BioioStack(path, "3")


def test_a_plane_that_a_scene_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cells.czi"
    with czi_library.create_czi(str(path)) as file:
        for scene, z in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2)):
            plane = {"T": 0, "C": 0, "Z": z}
            file.write(np.ones((30, 40), "u2"), plane=plane, scene=scene, location=(50 * scene, 0))
    with BioioStack(path, 1) as stack:
        assert stack.extract_patch(0, None, (2, 0, 0), (1, 30, 40)).all()
        with pytest.raises(StackReadError, match=r"Z=1: .*the plane cannot be found in the file"):
            stack.extract_patch(0, None, (1, 0, 0), (1, 30, 40))


def test_tiles_of_a_czi_are_put_together(tmp_path: Path) -> None:
    path = tmp_path / "mosaic.czi"
    image = random_image(2, 2, 3, 90, 110)
    write_czi(path, [image], tile=(45, 22), steps=STEPS)
    with BioioStack(path) as stack:
        assert stack.original_axes == "TCZYX"
        assert stack.chunks == (1, 1, 1, 45, 22)
        assert stack.metadata.along("X")[:2] == (pytest.approx(0.1), "micrometer")
        check_image_stack(stack, image)
    check_closes(partial(BioioStack, path))


def test_channels_are_chosen(czi: tuple[Path, Array]) -> None:
    path, image = czi
    with BioioStack(path, channels=[1]) as stack:
        check_image_stack(stack, image[:, [1]])
    with pytest.raises(ValueError, match="channel 2 is outside 0…1"):
        BioioStack(path, channels=[2])


def test_a_lif_conforms(tmp_path: Path) -> None:
    path = tmp_path / "cells.lif"
    images = {"Series 1": random_image(3, 2, 4, 33, 47), "other": random_image(1, 1, 1, 20, 30)}
    write_lif(path, images, {"X": 1e-7, "Y": 2e-7, "Z": 5e-7})
    with BioioStack(path, "Series 1") as stack:
        assert stack.original_axes == "TCZYX"
        assert stack.chunks == (1, 1, 1, 33, 47)
        assert stack.metadata.scale == pytest.approx((1, 1, 0.5, 0.2, 0.1))
        assert stack.metadata.channel_names == ("Green", "Red")
        check_image_stack(stack, images["Series 1"])
    with BioioStack(path, "other") as stack:
        check_image_stack(stack, images["other"].squeeze())
    check_closes(partial(BioioStack, path, 0))


def test_a_dv_conforms(tmp_path: Path) -> None:
    path = tmp_path / "cells.dv"
    image = random_image(3, 4, 33, 47)
    write_dv(path, image, (0.1, 0.2, 0.5))
    with BioioStack(path) as stack:
        assert stack.original_axes == "TZYX"
        assert stack.metadata.scale == pytest.approx((1, 0.5, 0.2, 0.1))
        check_image_stack(stack, image)
    check_closes(partial(BioioStack, path))


def test_levels_of_a_format_that_has_them(tmp_path: Path) -> None:
    path = tmp_path / "cells.ome.zarr"
    image = random_image(2, 3, 64, 96)
    half = image[..., ::2, ::2]
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"
    ]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 500, 100 * 2**level, 100 * 2**level]}
            ],
        }
        for level in range(2)
    ]
    ome = {"version": "0.5", "multiscales": [{"name": "i", "axes": axes, "datasets": datasets}]}
    group = zarr.create_group(path, attributes={"ome": ome})
    for level, pixels in enumerate((image, half)):
        group.create_array(str(level), data=pixels, chunks=(1, 2, 32, 40))
    for level, pixels, step in ((0, image, 100), (1, half, 200)):
        with BioioStack(path, level=level) as stack:
            assert isinstance(stack._pixels, DaskPixels)
            assert stack.metadata.along("Z")[:2] == (500, "nanometer")
            assert stack.metadata.along("X")[:2] == (step, "nanometer")
            check_image_stack(stack, pixels)
    with pytest.raises(ValueError, match=r"level 2 is outside 0…1; give"):
        BioioStack(path, level=2)


def test_levels_that_a_format_does_not_have(czi: tuple[Path, Array]) -> None:
    for level in (-1, 1):
        with pytest.raises(ValueError, match=rf"level {level} is outside 0…0; give"):
            BioioStack(czi[0], level=level)


def test_many_threads_read_several_stacks(czi: tuple[Path, Array], tmp_path: Path) -> None:
    path, image = czi
    volume = random_image(3, 4, 33, 47) + 5
    write_dv(tmp_path / "cells.dv", volume, (0.1, 0.2, 0.5))
    places = np.random.default_rng(1).integers(0, (3, 3, 20, 20), (120, 4)).tolist()
    with (
        BioioStack(path) as one,
        BioioStack(path) as two,
        BioioStack(tmp_path / "cells.dv") as three,
        ThreadPoolExecutor(6) as threads,
    ):
        stacks = [(one, image), (two, image), (three, volume[:, np.newaxis])]

        def check(number: int) -> None:
            stack, expected = stacks[number % 3]
            t, z, y, x = places[number]
            block = stack.extract_patch(t, None, (z, y, x), (2, 13, 20))
            part = expected[t, :, z : z + 2, y : y + 13, x : x + 20]
            np.testing.assert_array_equal(block[:, : part.shape[1]], part)

        list(threads.map(check, range(120)))


def test_memory_for_planes_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "large.czi"
    image = np.broadcast_to(np.uint8(7), (1, 1, 160, 1024, 1024))
    write_czi(path, [image], compression="zstd1:ExplicitLevel=1")
    assert grown_by_reading_planes("BioioStack", path, 7) < 120 * 2**20


def test_a_damaged_plane_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cells.czi"
    image = random_image(1, 1, 4, 64, 64)
    write_czi(path, [image], compression="zstd1:ExplicitLevel=2")
    at, _ = subblock_data(path, 2)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes(200))
    with BioioStack(path) as stack:
        with pytest.raises(StackReadError) as caught:
            stack.extract_patch(0, None, (1, 0, 0), (3, 64, 64))
        message = str(caught.value)
        assert message.startswith(
            f"{path} cannot be read at Z=1…3 Y=0…63 X=0…63: block Z=2: RuntimeError: "
        )
        assert "\n" not in message
        good = stack.extract_patch(0, None, (0, 0, 0), (2, 64, 64))
        np.testing.assert_array_equal(good[0], image[0, 0, :2])


def test_a_file_removed_or_cut_off_while_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cells.czi"
    write_czi(path, [random_image(1, 1, 4, 64, 64)])
    with BioioStack(path) as stack:
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(StackReadError, match=r"cells\.czi cannot be read at Z=3…3 .*: block Z"):
            stack.extract_patch(0, None, (3, 0, 0), (1, 4, 4))
        path.unlink()
        with pytest.raises(StackReadError, match=r"block Z=2: FileNotFoundError: .*cells\.czi"):
            stack.extract_patch(0, None, (2, 0, 0), (1, 4, 4))
    with pytest.raises(FileNotFoundError, match=r"cells\.czi does not exist: look at"):
        BioioStack(path)


@pytest.mark.parametrize("suffix", ["czi", "lif", "nd2", "dv"])
def test_files_that_are_not_what_their_names_say(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"cells.{suffix}"
    for content in (b"", b"no image at all" * 100):
        path.write_bytes(content)
        with pytest.raises(StackReadError) as caught:
            BioioStack(path)
        message = str(caught.value)
        assert message.startswith(f"{path} cannot be opened: bioio-{suffix}: ")
        assert "\n" not in message
        assert message.count(str(path)) == 1


@pytest.mark.parametrize("suffix", ["czi", "lif", "dv"])
def test_files_that_are_cut_off(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"cells.{suffix}"
    image = random_image(2, 1, 3, 40, 30)
    if suffix == "czi":
        write_czi(path, [image])
    elif suffix == "lif":
        write_lif(path, {"one": image}, {})
    else:
        write_dv(path, image[:, 0], (0.1, 0.2, 0.5))
    os.truncate(path, path.stat().st_size - 5000)
    with pytest.raises(StackReadError, match=rf"cells\.{suffix} cannot be "), BioioStack(path) as s:
        s.extract_patch(1, None, (0, 0, 0), (3, 40, 30))


def test_formats_without_a_reader_say_which_there_are(tmp_path: Path) -> None:
    path = tmp_path / "cells.oir"
    path.write_bytes(b"OLYMPUSRAWFORMAT")
    message = (
        r"cells\.oir: no reader of bioio is installed for \.oir \(there are for \.czi, \.dv, "
        r"\.lif, .*\.nd2, .*\); more are listed at github\.com/bioio-devs/bioio$"
    )
    with pytest.raises(ValueError, match=message):
        BioioStack(path)
    with pytest.raises(ValueError, match=message):
        open_stack(path)


def test_without_bioio_the_extra_is_named(czi: tuple[Path, Array]) -> None:
    code = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('bioio', 'bioio_base'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "import napari_tessera.stacks\n"
        "try:\n"
        "    napari_tessera.stacks.open_stack(sys.argv[1])\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, czi[0]],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert found.stdout.endswith(
        "this format is read with bioio (its reader for CZI is under the GPL 3), which is not "
        'installed: pip install "napari-tessera[bioio]"\n'
    )
    assert found.stdout.count("\n") == 1


def test_core_loads_no_optional_reader() -> None:
    code = (
        "import sys, napari_tessera, napari_tessera.stacks, napari_tessera.cli; "
        "print([n for n in ('h5py', 'bioio', 'bioio_base', 'bioio_czi') if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True
    )
    assert found.stdout == "[]\n"
