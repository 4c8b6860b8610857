"""Telling what kind of model a file is, and what it is if it is none, without running any of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from napari_tessera.models.archive import ArchiveError, is_zip, opened
from napari_tessera.models.ways_out import EXPORT, SAVE_AGAIN

_CHOOSE = (
    "Choose a checkpoint (.ckpt, .pth, .safetensors), a BioImage.IO package, a TorchScript (.pt), "
    "torch.export (.pt2) or ONNX file, or a built-in model"
)
_FROM_KERAS = "Export it as ONNX in Keras: model.export('model.onnx', format='onnx')"
_FROM_TENSORFLOW = (
    "Convert it to ONNX: python -m tf2onnx.convert --saved-model FOLDER --output model.onnx"
)

_ONNX_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
"""Numbers of the fields of an ONNX model; 7 is the graph."""

_MOST_FIELDS = 100_000


class FileKind(Enum):
    """Kinds of model files, each with a loader of its own."""

    TORCHSCRIPT = "TorchScript"
    EXPORTED = "torch.export program"
    ONNX = "ONNX"
    CHECKPOINT = "checkpoint or weights"
    PACKAGE = "BioImage.IO package"


_DESCRIPTIONS = frozenset({"rdf.yaml", "bioimageio.yaml"})
"""Names of the file that describes a package."""


def file_kind(path: Path) -> FileKind | None:
    """Tell a model file's kind from its content.

    Parameters
    ----------
    path : Path
        A file or folder that exists.

    Returns
    -------
    FileKind or None
        None where it is no model; `describe_refusal` says what it is instead.
    """
    if path.is_dir():
        names = {entry.name for entry in path.iterdir()}
        return FileKind.PACKAGE if names & _DESCRIPTIONS else None
    if not path.is_file():
        return None
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(4096)
    if is_zip(path):
        return _zip_kind(path)
    if start[:1] == b"\x80" and start[1:2] <= b"\x05" and size > 1:
        return FileKind.CHECKPOINT
    if _is_safetensors(start, size):
        return FileKind.CHECKPOINT
    suffix = path.suffix.lower()
    if path.name in _DESCRIPTIONS or suffix in (".yaml", ".yml"):
        return FileKind.PACKAGE
    # what has the name of an ONNX model but is something else is named as that
    if (suffix == ".onnx" and size and _other_kind(start) is None) or _is_onnx(path, size):
        return FileKind.ONNX
    return None


def _zip_kind(path: Path) -> FileKind | None:
    try:
        with opened(path) as archive:
            names = archive.namelist()
    except ArchiveError:
        return None
    files = {PurePosixPath(name).name for name in names}
    # the innermost sign first: a package holds models of the other kinds
    if any(PurePosixPath(name).name in _DESCRIPTIONS for name in names if name.count("/") < 2):
        return FileKind.PACKAGE
    if files & {"archive_format", "serialized_exported_program.json"}:
        return FileKind.EXPORTED
    if "data.pkl" in files:
        is_program = any("/code/" in f"/{name}" for name in names)
        return FileKind.TORCHSCRIPT if is_program else FileKind.CHECKPOINT
    return None


def describe_refusal(path: Path) -> tuple[str, str]:
    """Say why a path is no model file, and what to do instead.

    Parameters
    ----------
    path : Path
        What `file_kind` has no kind for; it exists.

    Returns
    -------
    why, way_out : str
        Half a sentence, and a sentence without a full stop.
    """
    if path.is_dir():
        return _describe_folder({entry.name for entry in path.iterdir()})
    if not path.is_file():
        return "it is no file but a device or a pipe", _CHOOSE
    if path.stat().st_size == 0:
        return "it is empty (0 bytes)", SAVE_AGAIN
    with path.open("rb") as file:
        start = file.read(4096)
    if is_zip(path):
        return _describe_zip(path)
    if path.suffix.lower() == ".py":
        return "it is Python source, which is not run", EXPORT
    return _other_kind(start) or ("it is no model file", _CHOOSE)


def _other_kind(start: bytes) -> tuple[str, str] | None:
    """What begins in one of the ways that other files are known by."""
    if start[:2] == b"PK":
        return "it is a damaged zip archive", SAVE_AGAIN
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        return "it is an HDF5 file (Keras?), not a PyTorch model", _FROM_KERAS
    if start[4:8] == b"TFL3":
        return "it is a TensorFlow Lite model", _FROM_TENSORFLOW
    if start[4:8] == b"ORTM":
        return "it was made by ONNX Runtime for one version of it", "Use the .onnx it was made from"
    if start[4:6] == b"ET" and start[6:8].isdigit():
        return "it is an ExecuTorch program", EXPORT
    if start[:4] == b"\x7fELF" or start[:2] == b"MZ":
        return "it is compiled code, which is not run", EXPORT
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, and not what it points to", "Run: git lfs pull"
    if start.lstrip()[:1] == b"<":
        return "it is a web page or XML, not a model", SAVE_AGAIN
    return None


def _describe_folder(names: set[str]) -> tuple[str, str]:
    if names & {"saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb"}:
        return "it is a TensorFlow model", _FROM_TENSORFLOW
    return "it is a folder without a rdf.yaml in it", _CHOOSE


def _describe_zip(path: Path) -> tuple[str, str]:
    try:
        with opened(path) as archive:
            files = {PurePosixPath(name).name for name in archive.namelist()}
    except ArchiveError as error:
        return str(error), SAVE_AGAIN
    if "model.weights.h5" in files:
        return "it is a Keras model", _FROM_KERAS
    if "extern_modules" in files:
        return "it carries Python source (torch.package), which is not run", EXPORT
    if any(PurePosixPath(name).suffix in (".so", ".dll", ".dylib") for name in files):
        return "it holds compiled code, which is not run", EXPORT
    return "it is a zip archive without a model in it", _CHOOSE


def _is_safetensors(start: bytes, size: int) -> bool:
    length = int.from_bytes(start[:8], "little")
    if not 2 <= length <= size - 8 or start[8:9] != b"{":
        return False
    if len(start) < 8 + length:
        return True
    try:
        json.loads(start[8 : 8 + length])
    except (ValueError, RecursionError):
        return False
    return True


def _is_onnx(path: Path, size: int) -> bool:
    """Whether a file is a protocol buffer with the fields of an ONNX model.

    The format has no mark of its own, but the fields of its first level are few: a version first,
    then a graph among others.
    """
    with path.open("rb") as file:
        if file.read(1) != b"\x08":
            return False
        file.seek(0)
        try:
            fields = list(_fields(file, size))
        except ValueError:
            return False
    return fields[0] == 1 and 7 in fields and _ONNX_FIELDS.issuperset(fields)


def _fields(file: BinaryIO, size: int) -> Iterator[int]:
    """Numbers of the fields of a protocol buffer's first level."""
    for _ in range(_MOST_FIELDS):
        if file.tell() == size:
            return
        tag = _varint(file)
        yield tag >> 3
        match tag & 7:
            case 0:
                _varint(file)
            case 2:
                file.seek(min(_varint(file), size + 1), 1)
            case _:
                raise ValueError("no field of an ONNX model")
        if file.tell() > size:
            raise ValueError("a field that is longer than the file")


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("the file ends in a number")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("a number of more than 64 bits")
