"""Files that would run something if they were read carelessly. Each writes a file that says so."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch


class _Runs:
    """Unpickled, it runs a shell command."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"echo ran > {self.mark}",)


class _Builds:
    """Unpickled, it calls a builtin function."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"import pathlib; pathlib.Path({str(self.mark)!r}).touch()",)


def zip_checkpoint(path: Path, mark: Path) -> None:
    """Among the weights, in the layout of today."""
    torch.save({"state_dict": {"0.weight": torch.zeros(1)}, "epoch": _Runs(mark)}, path)


def legacy_checkpoint(path: Path, mark: Path) -> None:
    """Among the weights, in the layout before PyTorch 1.6."""
    content = {"state_dict": {"0.weight": torch.zeros(1)}, "epoch": _Runs(mark)}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def bare_pickle(path: Path, mark: Path) -> None:
    """A pickle of the newest protocol, without PyTorch."""
    path.write_bytes(pickle.dumps(_Runs(mark), protocol=5))


def builtin_function(path: Path, mark: Path) -> None:
    """With a function of a module that harmless pickles name, too."""
    torch.save({"state_dict": {"0.weight": torch.zeros(1)}, "epoch": _Builds(mark)}, path)


def second_pickle(path: Path, mark: Path) -> None:
    """Behind harmless ones, where the old layout has what it is about."""
    legacy_checkpoint(path, mark)
    assert path.read_bytes().count(b"\x80\x02") > 3


def memoized_names(path: Path, mark: Path) -> None:
    """With the names out of order, so that one who reads along sees harmless ones."""
    command = f"echo ran > {mark}".encode()
    made = b"".join(
        [
            b"\x80\x04",
            b"\x8c\x05posix\x94",
            b"\x8c\x06system\x94",
            b"\x8c\x0bcollections\x94",
            b"\x8c\x0bOrderedDict\x94",
            b"0000",
            b"h\x00h\x01\x93",
            b"X" + len(command).to_bytes(4, "little") + command,
            b"\x85R.",
        ]
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", made)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


def whole_module(path: Path, mark: Path) -> None:
    """A network saved as it is, by a class that runs something on the way in."""
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1))
    network.extra = _Runs(mark)  # type: ignore[assignment]
    torch.save(network, path)


ATTACKS = (
    zip_checkpoint,
    legacy_checkpoint,
    bare_pickle,
    builtin_function,
    second_pickle,
    memoized_names,
    whole_module,
)
