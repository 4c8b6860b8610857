"""Small images and models that pages ask for: ``from docs_files import prepare``."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import torch
import yaml
import zarr
from numpy.typing import NDArray
from safetensors.torch import save_file
from tests.models.bioimageio.packages import description_05, npy
from tests.models.checkpoints.files import network_settings, new_layout, weights_for
from torch import Tensor, nn
from torch.export import Dim
from yaozarrs import v05
from yaozarrs.write.v05 import write_image

PIXEL_UM = 0.25
PLANE_UM = 1.0


class Smoother(nn.Module):
    """Mean of a pixel's surroundings, at the full size and at half of it."""

    def forward(self, x: Tensor) -> Tensor:
        fine = self.blur(x)
        coarse = self.blur(nn.functional.avg_pool2d(fine, 2))
        return (fine + nn.functional.interpolate(coarse, scale_factor=2.0)) / 2

    def blur(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 3, 1, 1)


def blobs(shape: tuple[int, ...], seed: int) -> NDArray[np.float64]:
    """Round spots on a flat background, in photons; the same in all but the last two axes."""
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[: shape[-2], : shape[-1]]
    plane = np.full(shape[-2:], 12.0)
    for centre_y, centre_x, sigma in rng.uniform((0, 0, 4), (*shape[-2:], 10), (30, 3)):
        plane += 60 * np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / (2 * sigma**2))
    return np.broadcast_to(plane, shape)


def noisy(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint16]:
    """The same with the noise of photons and of a camera, which adds 100."""
    rng = np.random.default_rng(seed + 1)
    photons = rng.poisson(blobs(shape, seed))
    return (100 + 4 * photons + rng.normal(0, 3, shape)).round().astype(np.uint16)


def write_tiff(path: Path, pixels: NDArray[np.generic], axes: str) -> None:
    """Write an OME-TIFF file with a pixel size."""
    sizes: dict[str, object] = {"axes": axes}
    for letter, size in {"X": PIXEL_UM, "Y": PIXEL_UM, "Z": PLANE_UM}.items():
        if letter in axes:
            sizes |= {f"PhysicalSize{letter}": size, f"PhysicalSize{letter}Unit": "µm"}
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata=sizes)


def write_store(path: Path) -> None:
    axes = [v05.SpaceAxis(name=name, unit="micrometer") for name in "zyx"]
    scale = v05.ScaleTransformation(scale=[PLANE_UM, PIXEL_UM, PIXEL_UM])
    dataset = v05.Dataset(path="0", coordinateTransformations=[scale])
    image = v05.Image(multiscales=[v05.Multiscale(axes=axes, datasets=[dataset])])
    write_image(path, image, noisy((8, 256, 256)), chunks=(1, 64, 64), writer="zarr")
    assert zarr.open_array(f"{path}/0", mode="r").shape == (8, 256, 256)


def write_mask(path: Path) -> None:
    mask = np.zeros((300, 280), np.uint8)
    mask[40:140, 60:200] = 1
    write_tiff(path, mask, "YX")


def write_torchscript(path: Path) -> None:
    torch.jit.save(torch.jit.script(Smoother().eval()), path)


def write_program(path: Path) -> None:
    sizes = {0: Dim.DYNAMIC, 2: 2 * Dim("y"), 3: 2 * Dim("x")}
    example = torch.rand(2, 1, 32, 32)
    torch.export.save(torch.export.export(Smoother(), (example,), dynamic_shapes=(sizes,)), path)


def write_onnx(path: Path) -> None:
    axes = {0: "samples", 2: "y", 3: "x"}
    torch.onnx.export(
        Smoother().eval(),
        (torch.rand(1, 1, 32, 32),),
        path,
        dynamo=False,
        input_names=["noisy"],
        output_names=["denoised"],
        dynamic_axes={"noisy": axes, "denoised": axes},
    )


def write_package(path: Path) -> None:
    """A BioImage.IO package with its own test, which it passes."""
    given = np.random.default_rng(0).normal(200, 20, (1, 1, 32, 32)).astype(np.float32)
    description = description_05(name="a smoother", description="means of surroundings")
    description["inputs"][0]["test_tensor"] = {"source": "given.npy"}
    description["outputs"][0]["test_tensor"] = {"source": "wanted.npy"}
    weights = path.with_name("weights.pt")
    write_torchscript(weights)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", yaml.safe_dump(description, sort_keys=False))
        archive.writestr("README.md", "# A smoother\n")
        archive.write(weights, "weights.pt")
        archive.writestr("given.npy", npy(given))
        archive.writestr("wanted.npy", npy(Smoother()(torch.from_numpy(given)).numpy()))
    weights.unlink()


def tiff(shape: tuple[int, ...], axes: str) -> Callable[[Path], None]:
    return lambda path: write_tiff(path, noisy(shape), axes)


def clean(path: Path) -> None:
    write_tiff(path, (100 + 4 * blobs((300, 280), 0)).astype(np.float32), "YX")


MAKERS: dict[str, Callable[[Path], None]] = {
    "noisy.tif": tiff((300, 280), "YX"),
    "clean.tif": clean,
    "mask.tif": write_mask,
    "volume.tif": tiff((6, 96, 96), "ZYX"),
    "movie.tif": tiff((4, 128, 128), "TYX"),
    "cells.tif": tiff((2, 128, 128), "CYX"),
    "stack.tif": tiff((2, 3, 2, 96, 96), "TZCYX"),
    "big.ome.zarr": write_store,
    "net.pt": write_torchscript,
    "net.pt2": write_program,
    "net.onnx": write_onnx,
    "net.pth": lambda path: torch.save(weights_for(network_settings()), path),
    "net.safetensors": lambda path: save_file(weights_for(network_settings()), path),
    "n2v.ckpt": lambda path: torch.save(new_layout(), path),
    "package.zip": write_package,
}


class Files:
    """Makes each file once, in a folder of its own, and copies it to whoever asks.

    Parameters
    ----------
    folder : Path
        Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self, *names: str) -> None:
        """Put files into the working directory.

        Raises
        ------
        ValueError
            If there is no file of a name.
        """
        unknown = sorted(set(names) - MAKERS.keys())
        if unknown:
            raise ValueError(f"no file {', '.join(unknown)}; there are {', '.join(MAKERS)}")
        for name in names:
            kept = self.folder / name
            if not kept.exists():
                with warnings.catch_warnings(), torch.random.fork_rng(devices=()):
                    warnings.simplefilter("ignore")
                    torch.manual_seed(0)
                    MAKERS[name](kept)
            (shutil.copytree if kept.is_dir() else shutil.copy)(kept, name)
