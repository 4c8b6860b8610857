"""Real files of many origins: what each is, and that all of its pixels are read."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera.stacks import open_stack
from napari_tessera.testing import check_closes

from .conformance import Array, check_image_stack

UM = "micrometer"

FILES = [
    ("pairs/BPAE_B_noisy.tif", "YX", (512, 512), "uint8"),
    ("pairs/BPAE_B_avg50.tif", "YX", (512, 512), "uint8"),
    ("pairs/fish_noisy.tif", "YX", (512, 512), "uint8"),
    ("pairs/fish_avg50.tif", "YX", (512, 512), "uint8"),
    ("noisy2d/n2f_fig5_N_0_0.tif", "YX", (725, 725), "uint8"),
    ("noisy2d/xy_calibrated_16bit__cells_eres_noisy.tif", "YX", (512, 512), "uint16"),
    ("noisy2d/xy_8bit__nuclei_very_noisy.tif", "YX", (135, 147), "uint8"),
    ("stack3d/xyz_16bit__spots.tif", "ZYX", (17, 88, 89), "uint16"),
    ("stack3d/xyz_nuclear_envelope_drosophila.tif", "ZYX", (14, 224, 305), "uint8"),
    ("timeseries/xyt_8bit_polyp.tif", "TYX", (3, 313, 313), "uint8"),
    ("multichannel/xyc_16bit__nuclei_golgi.tif", "CYX", (2, 220, 204), "uint16"),
    ("multidim/xyzct-mitosis.tif", "TZCYX", (3, 5, 2, 196, 171), "uint16"),
    ("quirks/xyc_16bit__membranes_nuclei_hot_pixel.tif", "CYX", (2, 354, 475), "uint16"),
    ("quirks/xy_16bit__two_values.tif", "YX", (500, 500), "uint16"),
    ("quirks/xy_rgb__cells.tif", "YXC", (257, 280, 3), "uint8"),
    ("ometiff/multi-channel_small.ome.tif", "CYX", (3, 167, 439), "int8"),
    ("omezarr/mri-stack.ome.zarr", "ZYX", (27, 226, 186), "uint8"),
    ("omezarr/single-plane-hcs.zarr/E/07/0", "CYX", (3, 256, 512), "uint16"),
    ("omezarr/single-plane-hcs.zarr/E/08/0", "CYX", (3, 256, 512), "uint16"),
    ("omezarr/2d_dataset_v5.ome.zarr", "YX", (64, 64), "uint8"),
    ("omezarr/3d_dataset_v5.ome.zarr", "ZYX", (16, 64, 64), "uint8"),
    ("omezarr/4d_dataset_v5.ome.zarr", "TCYX", (4, 3, 64, 64), "uint8"),
]
LEVELS = [
    ("omezarr/mri-stack.ome.zarr", ["s0", "s1"], (13, 113, 93)),
    ("omezarr/single-plane-hcs.zarr/E/07/0", ["0", "1", "2"], (3, 64, 128)),
    ("omezarr/single-plane-hcs.zarr/E/08/0", ["0", "1", "2"], (3, 64, 128)),
    ("omezarr/2d_dataset_v5.ome.zarr", ["0", "1"], (32, 32)),
    ("omezarr/3d_dataset_v5.ome.zarr", ["0", "1"], (8, 32, 32)),
    ("omezarr/4d_dataset_v5.ome.zarr", ["0", "1"], (4, 3, 32, 32)),
]
"""Arrays of every image that has levels, and the shape of the last."""


@pytest.fixture(scope="module")
def data(shared: Path) -> Path:
    folder = shared / "data"
    if not folder.is_dir():
        pytest.skip("no real images in 'shared'")
    return folder


def read_by_others(path: Path) -> Array:
    """The whole image, by tifffile or zarr alone."""
    if path.is_file():
        return np.asarray(tifffile.imread(path))
    with warnings.catch_warnings():
        # zarr on metadata of version 2 that others wrote
        warnings.simplefilter("ignore")
        node = zarr.open(path, mode="r")
        if isinstance(node, zarr.Group):
            node = node["0" if "0" in node else "s0"]
        return np.asarray(node[...])


@pytest.mark.parametrize(("name", "axes", "shape", "dtype"), FILES, ids=[f[0] for f in FILES])
def test_opens_with_the_right_axes(
    data: Path, name: str, axes: str, shape: tuple[int, ...], dtype: str
) -> None:
    with open_stack(data / name) as stack:
        assert stack.original_axes == axes
        assert stack.original_data_shape == shape
        assert stack.data_dtype == dtype
        check_image_stack(stack, read_by_others(data / name), axes)


@pytest.mark.parametrize(("name", "paths", "smallest"), LEVELS, ids=[f[0] for f in LEVELS])
def test_every_level_opens(
    data: Path, name: str, paths: list[str], smallest: tuple[int, ...]
) -> None:
    axes = next(axes for file, axes, _, _ in FILES if file == name)
    for level, path in enumerate(paths):
        pixels = read_by_others(data / name / path)
        with open_stack(data / name, level=level) as stack:
            check_image_stack(stack, pixels, axes)
        with open_stack(data / name / path) as by_path:
            assert by_path.metadata == stack.metadata
            assert by_path.original_data_shape == stack.original_data_shape
    assert pixels.shape == smallest
    with pytest.raises(ValueError, match=f"level {len(paths)} is outside 0…{len(paths) - 1}"):
        open_stack(data / name, level=len(paths))


@pytest.mark.parametrize("name", [f[0] for f in FILES])
def test_every_file_is_let_go_of(data: Path, name: str) -> None:
    check_closes(partial(open_stack, data / name))


def test_every_image_with_levels_is_listed(data: Path) -> None:
    listed = [path.parent.relative_to(data).as_posix() for path in data.rglob(".zattrs")]
    listed += [path.parent.relative_to(data).as_posix() for path in data.rglob("zarr.json")]
    multiscale = {name for name in listed if (data / name / "0" / ".zarray").exists()}
    multiscale |= {name for name in listed if (data / name / "s0" / ".zarray").exists()}
    multiscale |= {name for name in listed if (data / name / "0" / "zarr.json").exists()}
    assert multiscale == {name for name, *_ in LEVELS}


def test_every_file_is_in_the_table(data: Path) -> None:
    listed = {name.split(".ome.zarr")[0].split(".zarr")[0] for name, *_ in FILES}
    files = [path for path in data.rglob("*.tif*") if ".zarr" not in str(path)]
    found = {path.relative_to(data).as_posix() for path in [*files, *data.glob("*/*.zarr")]}
    assert {name.split(".ome.zarr")[0].split(".zarr")[0] for name in found} == listed


@pytest.mark.parametrize(
    ("name", "letter", "step", "unit"),
    [
        ("noisy2d/xy_calibrated_16bit__cells_eres_noisy.tif", "Y", 0.22967, UM),
        ("stack3d/xyz_16bit__spots.tif", "Z", 0.4, UM),
        ("stack3d/xyz_16bit__spots.tif", "X", 0.094134, UM),
        ("stack3d/xyz_nuclear_envelope_drosophila.tif", "Z", 1.0, UM),
        ("multidim/xyzct-mitosis.tif", "T", 1 / 7, "second"),
        ("multidim/xyzct-mitosis.tif", "X", 0.0885, UM),
        ("timeseries/xyt_8bit_polyp.tif", "T", 1.0, None),
        ("omezarr/single-plane-hcs.zarr/E/07/0", "X", 2.7336, UM),
        ("omezarr/mri-stack.ome.zarr", "Z", 1.0, None),
        ("omezarr/mri-stack.ome.zarr/s1", "Z", 2.0, None),
    ],
)
def test_pixel_sizes(data: Path, name: str, letter: str, step: float, unit: str | None) -> None:
    with open_stack(data / name) as stack:
        found, found_unit, _ = stack.metadata.along(letter)
    assert found == pytest.approx(step, rel=1e-4)
    assert found_unit == unit


def test_a_plate_lists_its_images(data: Path) -> None:
    plate = data / "omezarr" / "single-plane-hcs.zarr"
    with pytest.raises(ValueError, match=r"is a plate, not one image.* it holds E/07/0, E/08/0$"):
        open_stack(plate)
    with pytest.raises(ValueError, match=r"is a well, not one image; .* it holds 0$"):
        open_stack(plate / "E" / "07")
