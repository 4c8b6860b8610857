"""An image in a bucket, a model for it, and a run of one over the other."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from zarr.storage import LocalStore

from napari_tessera import load_model, predict_to_disk
from napari_tessera.stacks.zarr.remote import fsspec_store

from .buckets import S3Place

SHAPE = (384, 512)
SETTINGS: dict[str, Any] = {"patch_size": 128, "overlaps": 2, "batch_size": 1, "torch_threads": 1}

LAYOUTS: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (128, 128)},
    "shards": {"chunks": (128, 128), "shards": (256, 256)},
    "zarr 2": {"chunks": (128, 128), "zarr_format": 2},
}
"""How the image is stored; what is made of it is stored likewise."""


def store_image(where: str | Path, layout: str) -> np.ndarray:
    """Make the image at a URL or in a folder."""
    pixels = np.random.default_rng(7).integers(100, 4000, SHAPE).astype(np.uint16)
    options = dict(LAYOUTS[layout])
    version = options.pop("zarr_format", 3)
    multiscales = [
        {
            "axes": [{"name": name, "type": "space"} for name in "yx"],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.5]}],
                }
            ],
        }
    ]
    ome = (
        {"ome": {"version": "0.5", "multiscales": multiscales}}
        if version == 3
        else {"multiscales": [{"version": "0.4", **multiscales[0]}]}
    )
    store = LocalStore(where) if isinstance(where, Path) else fsspec_store(where, read_only=False)
    group = zarr.create_group(store, zarr_format=version, attributes=ome)
    array = group.create_array("0", shape=SHAPE, dtype="u2", **options)
    array[:] = pixels
    return pixels


def blur() -> torch.nn.Module:
    layer = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
    torch.nn.init.constant_(layer.weight, 1 / 9)
    return layer.eval()


def model_file(folder: Path) -> Path:
    """The model as a file, for another process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(blur()).save(str(folder / "blur.pt"))
    return folder / "blur.pt"


def run(place: S3Place, name: str, layout: str = "chunks", **settings: Any) -> None:
    """Predict the image of a layout into the bucket."""
    version = {"ome_version": "0.4"} if layout == "zarr 2" else {}
    predict_to_disk(
        place.url(f"in {layout}.ome.zarr"),
        load_model(blur(), device="cpu"),
        place.url(name),
        **SETTINGS | version | settings,
    )
