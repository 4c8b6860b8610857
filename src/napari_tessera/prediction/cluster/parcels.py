"""Models as they are sent to workers: the bytes of their files, known by their hash."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.prediction.cluster.words import LoadOptions, ModelSpec

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

LARGEST = 2 * 2**30
"""Bytes of a model that is sent; a message of Dask's holds little more."""

_BUILTIN = "builtin:"
_DESCRIPTIONS = (".yaml", ".yml")


@dataclass(frozen=True)
class ModelParcel:
    """A model's file.

    Parameters
    ----------
    name : str
        Name of the file; of a built-in model the one that `load_model` takes.
    sha256 : str
        Of what is sent.
    content : bytes or None
        The file; None of a built-in model, which every worker has.
    """

    name: str
    sha256: str
    content: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes to be sent."""
        return len(self.content or b"")


def parcels_of(model: Model | ChannelModels) -> tuple[ModelSpec, tuple[ModelParcel, ...]]:
    """Pack a model, or those of several channels, each file once.

    Raises
    ------
    ValueError
        If it lives in this process as Python code, or is too large to be sent.
    OSError
        If its file cannot be read any more.
    """
    from napari_tessera import models

    each: list[tuple[int | None, Model]]
    each = (
        list(model.models.items()) if isinstance(model, models.ChannelModels) else [(None, model)]
    )
    made: dict[str, ModelParcel] = {}
    named = []
    for channel, one in each:
        parcel = _parcel(one)
        made[parcel.sha256] = parcel
        named.append((channel, parcel.sha256, _options(one)))
    return ModelSpec(tuple(named), model.sha256, model.device.type), tuple(made.values())


def _options(model: Model) -> LoadOptions:
    import torch

    # one that is on the CPU where there is a GPU was put there
    chosen = model.device.type == "cpu" and torch.cuda.is_available()
    return LoadOptions(
        "cpu" if chosen else "auto", model.spatial_dims, model.in_channels, model.prepared
    )


def _parcel(model: Model) -> ModelParcel:
    if model.loaded.is_python:
        raise ValueError(
            f"{model.name} is Python code in this process, which is not sent to workers: save it "
            "as a file (TorchScript, ONNX or a BioImage.IO package), and give that"
        )
    if model.source.startswith(_BUILTIN):
        return ModelParcel(model.source, hashlib.sha256(model.source.encode()).hexdigest())
    path = Path(model.source)
    # a description lies among the files that it names
    folder = path.parent if path.suffix.lower() in _DESCRIPTIONS else path
    if folder.is_dir():
        content, name = _packed(folder), f"{folder.name}.zip"
    else:
        _check_size(model.name, path.stat().st_size)
        content, name = path.read_bytes(), path.name
    return ModelParcel(name, hashlib.sha256(content).hexdigest(), content)


def _packed(folder: Path) -> bytes:
    """The package in a folder as a ZIP file: the same bytes each time."""
    files = _of_package(folder)
    _check_size(folder.name, sum(path.stat().st_size for path in files))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            archive.writestr(entry, path.read_bytes())
    return packed.getvalue()


def _of_package(folder: Path) -> list[Path]:
    """The files that a folder's description names, and itself: not what else lies there.

    What begins with the name of such a file is its own, as the tensors beside an ONNX file.
    """
    # that imports torch
    from napari_tessera.models.bioimageio.package_files import DESCRIPTIONS

    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    described = [name for name in DESCRIPTIONS if name in files]
    text = "\n".join(files[name].read_text("utf-8", "replace") for name in described)
    named = tuple(name for name, path in files.items() if name in text and path.is_file())
    return [
        path
        for name, path in sorted(files.items())
        if path.is_file() and (name in described or name.startswith(named))
    ]


def _check_size(name: str, size: int) -> None:
    if size > LARGEST:
        raise ValueError(
            f"{name} has {size / 2**30:.1f} GB, and {LARGEST / 2**30:.0f} GB are sent to workers "
            "at most: give a file of the model alone"
        )
