"""Real files of many origins: what each is, and that all of its pixels are read."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera.stacks import open_stack

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
    ("omezarr/mri-stack.ome.zarr/s1", "ZYX", (13, 113, 93), "uint8"),
    ("omezarr/single-plane-hcs.zarr/E/07/0", "CYX", (3, 256, 512), "uint16"),
    ("omezarr/single-plane-hcs.zarr/E/08/0", "CYX", (3, 256, 512), "uint16"),
    ("omezarr/2d_dataset_v5.ome.zarr", "YX", (64, 64), "uint8"),
    ("omezarr/3d_dataset_v5.ome.zarr", "ZYX", (16, 64, 64), "uint8"),
    ("omezarr/4d_dataset_v5.ome.zarr", "TCYX", (4, 3, 64, 64), "uint8"),
]


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
    with pytest.raises(ValueError, match=r"is a plate, not one image.* it holds E/07/0, E/08/0$"):
        open_stack(data / "omezarr" / "single-plane-hcs.zarr")
