"""Loading TorchScript files. See the package's description."""

from __future__ import annotations

import pickletools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from napari_tessera.models.archive import (
    ArchiveError,
    checked_members,
    is_zip,
    opened,
    packed_anew,
    read_member,
)
from napari_tessera.models.errors import ModelError, one_line
from napari_tessera.models.torchscript.operations import KINDS
from napari_tessera.models.torchscript.source import RefusedCodeError, check_code

_EXPORT_AGAIN = "Export the network as a plain TorchScript file: torch.jit.trace(net, example)"
_IN_PYTHON = (
    "If you trust it, load it in Python with torch.jit.load and pass the module to load_model"
)

_NEEDED = re.compile(
    r"data\.pkl|constants\.pkl|(\.data/)?version|byteorder|(data|constants)/[0-9]+"
    r"|code/[A-Za-z0-9_/.]+\.py"
)
"""Members that loading reads. Others (line numbers, notes, example inputs) are left behind."""

_MOST_CODE = 32 * 2**20
"""Bytes of code in one file: large networks have a few hundred kilobytes."""

_PICKLE_NAMES = re.compile(
    r"__torch__ \w+|__torch__\.(?!torch\.classes\.)[\w.]+ \w+|torch \w+Storage"
    r"|torch\._utils _rebuild_tensor(_v2)?|collections OrderedDict|builtins complex"
    r"|torch\.jit\._pickle (build_\w+list|build_tensor_from_id|restore_type_tag)"
)


def is_torchscript(path: Path) -> bool:
    """Whether a file is a zip archive with TorchScript's code and data in it."""
    if not is_zip(path):
        return False
    try:
        with opened(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except ArchiveError:
        return False
    return "data.pkl" in names and any(name.startswith("code/") for name in names)


def load_torchscript(path: Path) -> nn.Module:
    """Load a TorchScript file.

    Parameters
    ----------
    path : Path
        The file, as ``torch.jit.save`` writes it.

    Returns
    -------
    nn.Module
        On the CPU, in evaluation mode.

    Raises
    ------
    ModelError
        If the file is damaged, or carries what is not run.
    """
    try:
        with opened(path) as archive:
            members = checked_members(archive, path.stat().st_size)
            contents = {
                name: read_member(archive, info)
                for name, info in members.items()
                if _NEEDED.fullmatch(name)
            }
        if "model.json" in members:
            raise ArchiveError("it was written by PyTorch before 1.5")
    except ArchiveError as error:
        raise ModelError.not_loadable(path.name, one_line(error), _EXPORT_AGAIN) from error
    try:
        _check_contents(contents)
        module = _load(contents, path.name)
        _check_graph(module)
    except RefusedCodeError as error:
        raise ModelError.not_loadable(path.name, str(error), _way_out(str(error))) from error
    return module


def _load(contents: dict[str, bytes], name: str) -> torch.jit.ScriptModule:
    try:
        with warnings.catch_warnings():
            # PyTorch points to torch.export, which cannot read the files that people have.
            warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
            module = torch.jit.load(packed_anew(contents, "archive"), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:
        # RuntimeError mostly, but what a damaged program raises is not specified
        raise ModelError.not_loadable(
            name, f"PyTorch refuses it ({one_line(error)})", _EXPORT_AGAIN
        ) from error
    if not isinstance(module, torch.jit.ScriptModule) or not hasattr(module, "forward"):
        raise ModelError.not_loadable(name, "it has no forward method", _EXPORT_AGAIN)
    module.eval()
    return module


def _check_contents(contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        if name.endswith(".py"):
            if len(content) > _MOST_CODE:
                raise RefusedCodeError(f"{name} has {len(content) >> 20} MiB of code")
            check_code(content)
        elif name.endswith(".pkl"):
            _check_pickle(content)


def _check_pickle(content: bytes) -> None:
    """Refuse a pickle that names anything but tensors, lists and the file's own classes.

    PyTorch reads these pickles with a reader of its own that imports nothing from Python; it does
    build compiled-in classes by name, which networks of plain layers do not have.
    """
    try:
        for operation, argument, _ in pickletools.genops(content):
            if operation.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"):
                raise RefusedCodeError("it holds Python objects")
            if operation.name == "GLOBAL" and not _PICKLE_NAMES.fullmatch(str(argument)):
                raise RefusedCodeError(f"it needs {str(argument)[:80].replace(' ', '.')}")
    except RefusedCodeError:
        raise
    except Exception as error:
        # pickletools raises whatever its readers of single arguments raise
        raise RefusedCodeError("its list of objects is damaged") from error


def _check_graph(module: torch.jit.ScriptModule) -> None:
    """Refuse a compiled program with an operation that is not on the list."""
    try:
        graph = module.inlined_graph
    except Exception as error:
        raise RefusedCodeError(f"its program cannot be laid open ({one_line(error)})") from error
    for kind in _kinds(graph):
        if kind not in KINDS:
            raise RefusedCodeError(f"it uses the operation {kind}")


def _kinds(block: torch._C.Graph | torch._C.Block) -> Iterator[str]:
    """Kinds of all nodes, those of inner blocks and graphs included."""
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from _kinds(inner)
        for name in node.attributeNames():
            if node.kindOf(name) == "g":
                yield from _kinds(node.g(name))
            elif node.kindOf(name) == "gs":
                yield "prim::Subgraphs"


def _way_out(why: str) -> str:
    if "mkldnn" in why.lower():
        return "It was saved after torch.jit.optimize_for_inference: save it before that step"
    return _IN_PYTHON
