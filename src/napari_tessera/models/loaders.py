"""The loader for each kind of model file. Each is imported when a file of its kind is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from napari_tessera.models.file_kinds import FileKind
from napari_tessera.models.loaded import Loaded
from napari_tessera.models.triton import keep_triton_out


def _torchscript(path: Path) -> Loaded:
    from napari_tessera.models.hashing import hash_file
    from napari_tessera.models.own_format.programs import exported_program
    from napari_tessera.models.torchscript import load_torchscript

    loaded = Loaded(
        load_torchscript(path), path.name, str(path.absolute()), hash_file(path), "TorchScript"
    )
    return exported_program(path, loaded)


def _exported(path: Path) -> Loaded:
    keep_triton_out()
    from napari_tessera.models.exported import load_exported

    return load_exported(path)


def _onnx(path: Path) -> Loaded:
    from napari_tessera.models.onnx import load_onnx

    return load_onnx(path)


def _checkpoint(path: Path) -> Loaded:
    from napari_tessera.models.checkpoints import load_checkpoint

    return load_checkpoint(path)


def _package(path: Path) -> Loaded:
    from napari_tessera.models.bioimageio import load_package

    return load_package(path)


LOADERS: Mapping[FileKind, Callable[[Path], Loaded]] = {
    FileKind.TORCHSCRIPT: _torchscript,
    FileKind.EXPORTED: _exported,
    FileKind.ONNX: _onnx,
    FileKind.CHECKPOINT: _checkpoint,
    FileKind.PACKAGE: _package,
}
