"""Loading TorchScript files. See the package's description."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_tessera.models.archive import (
    ArchiveError,
    checked_members,
    opened,
    packed_anew,
    read_member,
)
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.torchscript.extent import check_calls, check_chain
from napari_tessera.models.torchscript.objects import check_objects
from napari_tessera.models.torchscript.precision import taking_float32
from napari_tessera.models.torchscript.program import check_program
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
        raise ModelError.not_loadable(path.name, message_line(error), _EXPORT_AGAIN) from error
    try:
        _check_contents(contents)
        module, unit = _load(contents, path.name)
        check_calls(unit, f"{module._c._type().qualified_name()}.forward")
        check_chain(module)
        check_program(module)
    except RefusedCodeError as error:
        raise ModelError.not_loadable(path.name, str(error), _way_out(str(error))) from error
    return taking_float32(module)


def _load(
    contents: dict[str, bytes], name: str
) -> tuple[torch.jit.ScriptModule, torch._C.CompilationUnit]:
    """The module, and the unit with all its methods and functions, which torch.jit.load hides."""
    unit = torch._C.CompilationUnit()
    try:
        with warnings.catch_warnings():
            # PyTorch points to torch.export, which cannot read the files that people have.
            warnings.filterwarnings("ignore", "`torch.jit")
            content: Any = packed_anew(contents, "archive").getvalue()
            # PyTorch's stub has other arguments than the function
            load: Any = torch._C.import_ir_module_from_buffer
            loaded = load(unit, content, torch.device("cpu"), {}, False)
            module = torch.jit._recursive.wrap_cpp_module(loaded)  # type: ignore[no-untyped-call]
    except Exception as error:
        # RuntimeError mostly, but what a damaged program raises is not specified
        raise ModelError.not_loadable(
            name, f"PyTorch refuses it ({message_line(error)})", _EXPORT_AGAIN
        ) from error
    if not isinstance(module, torch.jit.ScriptModule) or not hasattr(module, "forward"):
        raise ModelError.not_loadable(name, "it has no forward method", _EXPORT_AGAIN)
    module.eval()
    return module, unit


def _check_contents(contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        if name.endswith(".py"):
            if len(content) > _MOST_CODE:
                raise RefusedCodeError(f"{name} has {len(content) >> 20} MiB of code")
            check_code(content)
        elif name.endswith(".pkl"):
            folder = "data/" if name == "data.pkl" else "constants/"
            sizes = {
                each.removeprefix(folder): len(record)
                for each, record in contents.items()
                if each.startswith(folder)
            }
            check_objects(content, sizes)


def _way_out(why: str) -> str:
    if "its weights" in why:
        return "Save or download it again"
    if "mkldnn" in why.lower():
        return "It was saved after torch.jit.optimize_for_inference: save it before that step"
    return _IN_PYTHON
