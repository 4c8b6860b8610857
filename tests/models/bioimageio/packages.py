"""Packages of both formats, written with networks whose answers are known."""

from __future__ import annotations

import copy
import hashlib
import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn

Yaml = dict[str, Any]


class Same(nn.Module):
    """Returns what it gets."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 1.0


def script(module: nn.Module) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module.eval()), buffer)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def axes_05(letters: str = "bcyx", channels: int = 1, size: Any = None) -> list[Yaml]:
    size = {"min": 4, "step": 4} if size is None else size
    kinds: dict[str, Yaml] = {
        "b": {"type": "batch"},
        "c": {"type": "channel", "channel_names": [f"c{i}" for i in range(channels)]},
        "t": {"type": "time", "size": 1},
        "i": {"type": "index", "size": 1},
    }
    space = {a: {"type": "space", "id": a, "size": copy.deepcopy(size)} for a in "zyx"}
    return [copy.deepcopy((kinds | space)[letter]) for letter in letters]


FOLLOWS = {a: {"tensor_id": "raw", "axis_id": a} for a in "zyx"}


def output_axes_05(letters: str = "bcyx", channels: int = 1) -> list[Yaml]:
    axes = axes_05(letters, channels)
    for axis in axes:
        if axis["type"] == "space":
            axis["size"] = dict(FOLLOWS[axis["id"]])
    return axes


def description_05(
    pre: list[Yaml] | None = None,
    post: list[Yaml] | None = None,
    *,
    axes: str = "bcyx",
    channels: int = 1,
    **changes: Any,
) -> Yaml:
    whole: Yaml = {
        "format_version": "0.5.3",
        "type": "model",
        "name": "a small model",
        "description": "for tests",
        "authors": [{"name": "Ada L."}, {"name": "Grace H."}],
        "cite": [{"text": "A paper", "doi": "10.1000/182"}, {"text": "B", "url": "https://b.org"}],
        "license": "CC-BY-4.0",
        "version": "1.2.0",
        "documentation": "README.md",
        "inputs": [{"id": "raw", "axes": axes_05(axes, channels), "preprocessing": pre or []}],
        "outputs": [
            {"id": "clean", "axes": output_axes_05(axes, channels), "postprocessing": post or []}
        ],
        "weights": {"torchscript": {"source": "weights.pt", "pytorch_version": "2.5"}},
    }
    return whole | changes


def description_04(
    pre: list[Yaml] | None = None,
    post: list[Yaml] | None = None,
    *,
    axes: str = "bcyx",
    channels: int = 1,
    **changes: Any,
) -> Yaml:
    one = {"b": 1, "c": channels, "t": 1, "i": 1}
    least = [one.get(a, 16) for a in axes]
    whole: Yaml = {
        "format_version": "0.4.9",
        "type": "model",
        "name": "an older model",
        "authors": [{"name": "Ada L."}],
        "cite": [{"text": "A paper", "doi": "https://doi.org/10.1000/182"}],
        "license": "MIT",
        "documentation": "https://example.com/readme.md",
        "inputs": [
            {
                "name": "raw",
                "axes": axes,
                "data_type": "float32",
                "shape": {"min": least, "step": [0 if a in one else 8 for a in axes]},
                "preprocessing": pre or [],
            }
        ],
        "outputs": [
            {
                "name": "clean",
                "axes": axes,
                "data_type": "float32",
                "shape": {
                    "reference_tensor": "raw",
                    "scale": [1.0] * len(axes),
                    "offset": [0.0] * len(axes),
                },
                "halo": [0 if a in one else 4 for a in axes],
                "postprocessing": post or [],
            }
        ],
        "test_inputs": ["test_in.npy"],
        "test_outputs": ["test_out.npy"],
        "weights": {"torchscript": {"source": "weights.pt"}},
    }
    return whole | changes


class Package:
    """Writes packages."""

    def __init__(self, folder: Path, same: bytes) -> None:
        self.folder = folder
        self._same = same
        self._written = 0

    def __call__(
        self,
        description: Yaml | str | bytes,
        files: dict[str, bytes] | None = None,
        *,
        as_zip: bool = True,
        prefix: str = "",
        rdf: str = "rdf.yaml",
    ) -> Path:
        """Write a package; without ``files`` its network returns what it gets."""
        if isinstance(description, dict):
            description = "%YAML 1.2\n---\n" + yaml.safe_dump(description, sort_keys=False)
        if isinstance(description, str):
            description = description.encode()
        members = {rdf: description, **({"weights.pt": self._same} | (files or {}))}
        self._written += 1
        path = self.folder / f"package{self._written}"
        if as_zip:
            path = path.with_suffix(".zip")
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in members.items():
                    archive.writestr(prefix + name, content)
            return path
        for name, content in members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        return path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
