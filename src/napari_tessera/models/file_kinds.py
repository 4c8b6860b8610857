"""Telling what kind of model a file is, and what it is if it is none, without running any of it."""

from __future__ import annotations

import io
import json
import pickletools
from collections.abc import Iterator
from enum import Enum
from pathlib import Path, PurePosixPath

from napari_tessera.models.archive import ArchiveError, is_zip, opened, read_member

EXPORT = (
    "Export it as TorchScript: torch.jit.trace(net.eval(), example).save('model.pt'), "
    "or pass the module itself to load_model in Python"
)
_FROM_PACKAGE = "Choose the TorchScript file in it (weights.pt; unpack a .zip first)"
_AGAIN = "Save or download it again"
_CHOOSE = "Choose a TorchScript file (.pt) or a built-in model"

_MOST_PICKLE = 8 * 2**20
"""Bytes of a pickle that are read to see what it names."""

_WEIGHTS_ONLY = ("torch", "collections", "_codecs", "numpy", "__builtin__", "builtins")
"""Modules that a pickle of nothing but weights and settings names."""


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
    if path.name in _DESCRIPTIONS or path.suffix.lower() in (".yaml", ".yml"):
        return FileKind.PACKAGE
    # A protocol buffer has no mark of its own.
    return FileKind.ONNX if path.suffix.lower() == ".onnx" and size else None


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
        Anything that `is_torchscript` said no to; it exists.

    Returns
    -------
    why, way_out : str
        Half a sentence, and a sentence without a full stop.
    """
    if path.is_dir():
        names = {entry.name for entry in path.iterdir()}
        if names & {"rdf.yaml", "bioimageio.yaml"}:
            return "BioImage.IO packages are not supported yet", _FROM_PACKAGE
        return "it is a folder", _CHOOSE
    size = path.stat().st_size
    if size == 0:
        return "it is empty (0 bytes)", _AGAIN
    with path.open("rb") as file:
        start = file.read(4096)
    if is_zip(path):
        return _describe_zip(path)
    if start[:2] == b"PK":
        return "it is a damaged zip archive", _AGAIN
    if start[:1] == b"\x80" and start[1:2] <= b"\x05":
        return _describe_pickle(_opening(path))
    if path.suffix.lower() == ".onnx":
        return "ONNX models are not supported yet", EXPORT
    if _is_safetensors(start, size):
        return "it holds weights only, not the network", EXPORT
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        return "it is an HDF5 file (Keras?), not a PyTorch model", _CHOOSE
    return "it is no model file", _CHOOSE


def _describe_zip(path: Path) -> tuple[str, str]:
    try:
        with opened(path) as archive:
            infos = archive.infolist()
            files = {PurePosixPath(info.filename).name for info in infos}
            if files & {"rdf.yaml", "bioimageio.yaml"}:
                return "BioImage.IO packages are not supported yet", _FROM_PACKAGE
            if "archive_format" in files or "serialized_exported_program.json" in files:
                return "torch.export programs (.pt2) are not supported yet", EXPORT
            pickles = [info for info in infos if info.filename.endswith("/data.pkl")]
            if not pickles:
                return "it is a zip archive without a model in it", _CHOOSE
            return _describe_pickle(read_member(archive, pickles[0], _MOST_PICKLE))
    except ArchiveError as error:
        return str(error), _AGAIN


def _describe_pickle(content: bytes) -> tuple[str, str]:
    """Tell weights from pickled objects by the names that a pickle would import; none is."""
    try:
        for name in _imported_names(content):
            if name.partition(".")[0] not in _WEIGHTS_ONLY or ".nn." in name:
                return (
                    f"it holds a pickled Python object ({name[:80]}), and pickles can run anything",
                    EXPORT,
                )
    except Exception:
        # pickletools raises whatever its readers of single arguments raise; a long pickle also
        # ends early because only its beginning is read
        if len(content) < _MOST_PICKLE:
            return "it is a damaged pickle", _AGAIN
    return "it holds weights only, not the network", EXPORT


def _imported_names(content: bytes) -> Iterator[str]:
    """Names that unpickling would import, of all pickles that follow one another.

    Before 1.6, PyTorch wrote a file as several: a magic number, a version, the machine, the object.
    """
    stream = io.BytesIO(content)
    for _ in range(4):
        strings = []
        for operation, argument, _ in pickletools.genops(stream):
            if isinstance(argument, str):
                strings.append(argument)
            if operation.name in ("GLOBAL", "INST"):
                yield str(argument).replace(" ", ".")
            elif operation.name == "STACK_GLOBAL":
                yield ".".join(strings[-2:])
        if content[stream.tell() : stream.tell() + 1] != b"\x80":
            return


def _opening(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_PICKLE)


def _is_safetensors(start: bytes, size: int) -> bool:
    length = int.from_bytes(start[:8], "little")
    if not 2 <= length <= size - 8 or start[8:9] != b"{":
        return False
    if len(start) < 8 + length:
        return True
    try:
        json.loads(start[8 : 8 + length])
    except ValueError:
        return False
    return True
