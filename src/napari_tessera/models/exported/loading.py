"""Loading torch.export programs. See the package's description."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import torch
from torch.export import ExportedProgram
from torch.export.pt2_archive._package import load_pt2

from napari_tessera.models.archive import (
    ArchiveError,
    checked_members,
    opened,
    packed_anew,
    read_member,
)
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.exported.constraints import read_constraints
from napari_tessera.models.exported.network import ExportedNetwork
from napari_tessera.models.exported.payloads import rewrite_payloads
from napari_tessera.models.exported.program import Program, rewrite_program
from napari_tessera.models.exported.refusal import EXPORT_AGAIN, RefusedProgramError
from napari_tessera.models.hashing import hash_file
from napari_tessera.models.loaded import Loaded

_PROGRAM = re.compile(r"models/([A-Za-z0-9_]{1,100})\.json")
_MOST_JSON = 512 * 2**20
"""Bytes of a program's description: those of large networks have a few megabytes."""

_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    13: torch.bfloat16,
}
"""Types of numbers, by the number that a program has for them."""

_LOGGERS = ("torch.export", "torch._export", "torch.fx", "torch._subclasses")
"""Parts of PyTorch that write of a program to stderr while they read it."""

_COMPILED = "Export the program itself: torch.export.save(program, 'net.pt2')"
_NEWER = "Export it again with PyTorch 2.13 or newer: torch.export.save(program, 'net.pt2')"


def load_exported(path: Path) -> Loaded:
    """Load a torch.export program.

    Parameters
    ----------
    path : Path
        The file, as ``torch.export.save`` writes it.

    Returns
    -------
    Loaded
        Sizes and batch are those that the program was exported for.

    Raises
    ------
    ModelError
        If the file is damaged, holds pickles, compiled code or other than arithmetic on tensors,
        or is not one image in and one out.
    """
    try:
        with opened(path) as archive:
            members = checked_members(archive, path.stat().st_size)
            _check_members(members)
            contents, program = _rewritten(archive, members)
        constraints = read_constraints(program)
        if program.image["dtype"] not in _DTYPES:
            raise RefusedProgramError("its input is of a type that images do not have")
    except ArchiveError as error:
        raise ModelError.not_loadable(path.name, message_line(error), EXPORT_AGAIN) from error
    except RefusedProgramError as error:
        raise ModelError.not_loadable(path.name, str(error), error.way_out) from error
    exported = _load(contents, path.name)
    dtype = _DTYPES[program.image["dtype"]]
    try:
        network = ExportedNetwork(exported, dtype, constraints.most_samples)
    except Exception as error:
        raise _refused_by_pytorch(path.name, error) from error
    return Loaded(
        network.eval().requires_grad_(False),
        path.name,
        str(path.absolute()),
        hash_file(path),
        "torch.export program",
        spatial_dims=constraints.spatial_dims,
        in_channels=constraints.in_channels,
        any_channels=constraints.in_channels is None,
        sizes=constraints.sizes,
        sizes_are_strict=True,
        batch=constraints.batch,
        dtype=str(dtype).removeprefix("torch."),
    )


def _check_members(members: Mapping[str, ZipInfo]) -> None:
    """Refuse what holds compiled code, and the layouts that hold pickles."""
    for name in members:
        if name.startswith("data/aotinductor/") or name.endswith((".so", ".cubin", ".dll")):
            raise RefusedProgramError(
                "it holds code that was compiled for one machine (AOTInductor)", _COMPILED
            )
        if name.startswith(("data/executorch/", "data/mtia/")):
            raise RefusedProgramError("it was made for another runtime (ExecuTorch?)", _COMPILED)
        if re.fullmatch(r"data/(weights|constants)/.*\.pt", name) or name in (
            "serialized_exported_program.json",
            "serialized_state_dict.pt",
        ):
            raise RefusedProgramError("it was written by an older PyTorch, as pickles", _NEWER)


def _rewritten(
    archive: ZipFile, members: Mapping[str, ZipInfo]
) -> tuple[dict[str, bytes], Program]:
    """Contents of the archive that goes on, and the program that is in it."""
    found = [match for name in members if (match := _PROGRAM.fullmatch(name))]
    if len(found) != 1:
        raise RefusedProgramError(f"it holds {len(found)} programs instead of one")
    if "byteorder" in members and _read(archive, members, "byteorder") != b"little":
        raise RefusedProgramError("it was written on a machine of another byte order")
    own = found[0].group(1)
    program = rewrite_program(_read(archive, members, f"models/{own}.json"))
    contents = {
        "archive_format": b"pt2",
        "archive_version": _read(archive, members, "archive_version"),
        ".data/version": b"6\n",
        "byteorder": b"little",
        "models/model.json": program.content,
        # example inputs are left out: nothing that computes needs them
        "data/sample_inputs/model.pt": b"",
    }
    for kind in ("weights", "constants"):
        folder = f"data/{kind}/"
        config, records = rewrite_payloads(
            _read(archive, members, f"{folder}{own}_{kind}_config.json"),
            {
                name.removeprefix(folder): info.file_size
                for name, info in members.items()
                if name.startswith(folder)
            },
        )
        contents[f"{folder}model_{kind}_config.json"] = config
        for record in records:
            contents[folder + record] = read_member(archive, members[folder + record])
    return contents, program


def _read(archive: ZipFile, members: Mapping[str, ZipInfo], name: str) -> bytes:
    if name not in members:
        raise RefusedProgramError(f"its member {name} is missing", _NEWER)
    if members[name].file_size > _MOST_JSON:
        raise RefusedProgramError(f"its member {name} is larger than {_MOST_JSON >> 20} MiB")
    return read_member(archive, members[name])


def _load(contents: dict[str, bytes], name: str) -> ExportedProgram:
    try:
        with _quietly():
            return torch.export.load(packed_anew(contents, "archive"))
    except Exception as error:
        # any exception: what a damaged program raises is not specified
        raise _refused_by_pytorch(name, _reason(contents) or error) from error


def _reason(contents: dict[str, bytes]) -> Exception | None:
    """What stopped PyTorch: it only writes that to its log, and then tries an older format."""
    try:
        with _quietly():
            load_pt2(packed_anew(contents, "archive"))
    except Exception as error:
        return error
    return None


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep to itself what PyTorch logs of a program that it then refuses."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _refused_by_pytorch(name: str, error: Exception) -> ModelError:
    # the outermost error points to what was logged before it
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return ModelError.not_loadable(
        name, f"PyTorch refuses it ({message_line(error)})", EXPORT_AGAIN
    )
