"""Reading what ``torch.save`` or safetensors wrote, without running any of it."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from napari_tessera.models.archive import ArchiveError, checked_members, is_zip, opened
from napari_tessera.models.checkpoints.pickles import (
    WEIGHTS,
    PickleError,
    check_pickle_of_archive,
    check_pickles_of_file,
)
from napari_tessera.models.checkpoints.state_dicts import PLACES, find_weights
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.ways_out import SAVE_AGAIN


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read weights.

    Parameters
    ----------
    path : Path
        What ``torch.save`` wrote (zip, or several pickles as before PyTorch 1.6), or safetensors.

    Returns
    -------
    dict of str to Tensor
        On the CPU, in the dtypes of the file. Prefixes of ``DataParallel`` and ``torch.compile``
        are taken off; weights that lie deeper in a checkpoint are found by the usual names.

    Raises
    ------
    ModelError
        If it is damaged, holds anything but weights and settings, or no weights.
    OSError
        If it cannot be read.
    """
    return weights_of(path, read_checkpoint(path))


def weights_of(path: Path, content: object) -> dict[str, Tensor]:
    """The weights in what `read_checkpoint` returned.

    Raises
    ------
    ModelError
        If there are none.
    """
    found = find_weights(content)
    if found is None:
        raise ModelError.not_loadable(
            path.name,
            f"there are no weights in it, nor in its {', '.join(PLACES[:4])}, …",
            WEIGHTS,
        )
    for key, value in found.items():
        why = _oddity(value)
        if why is not None:
            raise ModelError.not_loadable(path.name, f"its weight {key!r:.80} {why}", SAVE_AGAIN)
    return found


def read_checkpoint(path: Path, content: bytes | None = None) -> object:
    """Read whatever ``torch.save`` or safetensors wrote, tensors on the CPU.

    Nothing in the file is run: what its pickle names is looked at first, and read by PyTorch's
    unpickler for weights, which makes nothing but tensors, containers and numbers. The file is
    opened once, so that what is loaded is what was looked at.

    Parameters
    ----------
    path : Path
        The file.
    content : bytes, optional
        Its bytes, where they have been read.

    Raises
    ------
    ModelError
        If it is damaged, or names any other class or function.
    OSError
        If it cannot be read.
    """
    content = path.read_bytes() if content is None else content
    if is_zip(content):
        return _read_zip(path, content)
    if content[:2] == b"PK":
        raise ModelError.not_loadable(path.name, "it is a damaged zip archive", SAVE_AGAIN)
    if content[:1] == b"\x80" and b"\x00" < content[1:2] <= b"\x05":
        return _read_pickles(path, content)
    return _read_safetensors(path, content)


def _read_zip(path: Path, content: bytes) -> object:
    try:
        with opened(io.BytesIO(content)) as archive:
            members = checked_members(archive, len(content))
            check_pickle_of_archive(archive, members)
    except ArchiveError as error:
        raise ModelError.not_loadable(path.name, str(error), SAVE_AGAIN) from error
    except PickleError as error:
        raise ModelError.not_loadable(path.name, str(error), error.way_out) from error
    return _load(path, content)


def _read_pickles(path: Path, content: bytes) -> object:
    try:
        check_pickles_of_file(io.BytesIO(content))
    except PickleError as error:
        raise ModelError.not_loadable(path.name, str(error), error.way_out) from error
    return _load(path, content)


def _load(path: Path, content: bytes) -> object:
    try:
        with warnings.catch_warnings():
            # of newer protocols than its own it says that it may not know all of them
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            # and of sparse tensors that it checks them, which are refused afterwards
            warnings.filterwarnings("ignore", "Validating sparse tensor", UserWarning)
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        way_out = WEIGHTS
        if "Unsupported operand" in str(error):
            way_out = "Save it with PyTorch's own protocol: torch.save(…, pickle_protocol=2)"
        raise ModelError.not_loadable(
            path.name, f"PyTorch's reader of weights refuses it ({_reason(error)})", way_out
        ) from error
    except Exception as error:
        # any exception: the unpickler builds what a damaged file says
        raise ModelError.not_loadable(
            path.name, f"it is damaged ({message_line(error, 120)})", SAVE_AGAIN
        ) from error


def _read_safetensors(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return load_safetensors(content)
    except (SafetensorError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError.not_loadable(
            path.name, f"it is damaged ({message_line(error, 120)})", SAVE_AGAIN
        ) from error


def _reason(error: Exception) -> str:
    """What the reader has to say, less its advice to read without safety."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line.startswith(("WeightsUnpickler error", "Unsupported"))]
    text = told[0].removeprefix("WeightsUnpickler error:").strip() if told else ""
    return f"{text:.120}" or "it holds more than weights"


def _oddity(value: Tensor) -> str | None:
    """Why a tensor is no weight; None where it is one."""
    if value.is_meta or value.is_nested or value.layout is not torch.strided or value.is_quantized:
        return "is no plain array of numbers"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return f"claims {value.numel():,} numbers, more than there are"
    return None
