"""Images and models in files that workers can read, and what runs leave on disk."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from torch import nn

from napari_tessera import predict_to_disk

SHAPE = (6, 96, 128)
SETTINGS: dict[str, Any] = {
    "patch_size": 32,
    "overlaps": 8,
    "batch_size": 2,
    "torch_threads": 1,
    "reader_threads": 1,
    "chunks": (32, 32),
}

TIMES = ("started", "finished", "versions")


def write_image(path: Path, shape: tuple[int, ...] = SHAPE, axes: str = "tyx") -> Path:
    """Write an OME-Zarr image of chunks of 32 × 32."""
    pixels = np.random.default_rng(3).normal(400, 60, shape).astype(np.float32)
    named = [
        {"name": name, "type": {"t": "time", "c": "channel"}.get(name, "space")} for name in axes
    ]
    scale = [{"type": "scale", "scale": [1.0] * len(shape)}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group = zarr.create_group(
        path,
        attributes={
            "ome": {"version": "0.5", "multiscales": [{"axes": named, "datasets": datasets}]}
        },
    )
    chunks = (*[1] * (len(shape) - 2), 32, 32)
    group.create_array("0", shape=shape, dtype="f4", chunks=chunks)[:] = pixels
    return path


class Blur(nn.Module):
    """Convolutions; wider ones take longer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 1, 5, padding=2),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def write_model(path: Path, width: int = 4, seed: int = 0) -> Path:
    """Write a network as TorchScript."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Blur(width).eval()).save(path)
    return path


def one_machine(image: Path, model: Path, out: Path, **settings: Any) -> dict[str, str]:
    """What a run of one process leaves."""
    predict_to_disk(image, model, out, **{**SETTINGS, **settings})
    return left_behind(out)


def left_behind(folder: Path) -> dict[str, str]:
    """A hash of each object of a store; of attributes without name and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path == folder / "zarr.json":
                content = _without_times(content)
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def _without_times(content: bytes) -> bytes:
    stored = json.loads(content)
    attributes = stored["attributes"]
    for image in attributes["ome"]["multiscales"]:
        image.pop("name", None)
    for name in TIMES:
        attributes["napari_tessera"].pop(name, None)
    return json.dumps(stored, sort_keys=True).encode()
