"""Looking into pickles without unpickling them."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO

from napari_tessera.models.archive import read_member
from napari_tessera.models.ways_out import SAVE_AGAIN

MOST_BYTES = 64 * 2**20
"""Bytes of pickles that are looked at; weights lie outside of them."""

_PLAIN = frozenset({"__builtin__", "_codecs", "builtins", "collections", "torch"})
"""Packages of what a pickle of weights and settings names; PyTorch's reader looks closer."""

_PICKLES_OF_FILE = 5
"""What PyTorch wrote before 1.6: a magic number, a version, the machine, the object, storages."""

WEIGHTS = (
    "Save its weights instead, where it runs: torch.save(net.state_dict(), 'weights.pt'), "
    "or export the network: torch.jit.trace(net.eval(), example).save('model.pt')"
)
"""Ways out."""


class PickleError(ValueError):
    """A pickle that is not read; half a sentence says why."""

    def __init__(self, why: str, way_out: str = SAVE_AGAIN) -> None:
        super().__init__(why)
        self.way_out = way_out


def check_pickle_of_archive(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> None:
    """Look at what the pickle in an archive of ``torch.save`` names.

    Raises
    ------
    PickleError
        If it is damaged, huge, or names what weights and settings never do.
    ArchiveError
        If it cannot be unpacked.
    """
    info = members.get("data.pkl")
    if info is None:
        raise PickleError("it is a zip archive without a model in it")
    if info.file_size > MOST_BYTES:
        raise PickleError(
            f"its pickle has {info.file_size >> 20} MiB, more than {MOST_BYTES >> 20}"
        )
    _check(io.BytesIO(read_member(archive, info)), 1)


def check_pickles_of_file(file: IO[bytes]) -> None:
    """Look at what the pickles at the beginning of a file name.

    Raises
    ------
    PickleError
        If they are damaged, huge, or name what weights and settings never do.
    """
    _check(file, _PICKLES_OF_FILE)


def _check(file: IO[bytes], most: int) -> None:
    for at in range(most):
        try:
            for name in _names(file):
                if _is_foreign(name):
                    named = " ".join(name.split())[:80]
                    raise PickleError(
                        f"it holds a pickled Python object ({named}), and pickles can run anything",
                        WEIGHTS,
                    )
        except PickleError:
            raise
        except Exception as error:
            # pickletools raises whatever its readers of single arguments raise
            if at:
                return
            raise PickleError("it is a damaged pickle") from error


def _is_foreign(name: str) -> bool:
    if name.startswith("torch.nn."):
        return not name.startswith("torch.nn.parameter.")
    return name.partition(".")[0] not in _PLAIN


def _names(file: IO[bytes]) -> Iterator[str]:
    """What one pickle would import, in order."""
    memo: dict[int, object] = {}
    # two are all that is ever looked back at
    pushed: list[object] = [None, None]
    for operation, argument, position in pickletools.genops(file):
        if position is not None and position > MOST_BYTES:
            raise PickleError(f"its pickle has more than {MOST_BYTES >> 20} MiB")
        kind = operation.name
        if kind in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
            pushed.append(None)
        elif kind == "STACK_GLOBAL":
            yield ".".join(str(part) for part in pushed)
            pushed.append(None)
        elif kind == "MEMOIZE":
            memo[len(memo)] = pushed[-1]
        elif kind.endswith("PUT") and isinstance(argument, int):
            memo[argument] = pushed[-1]
        elif kind.endswith("GET") and isinstance(argument, int):
            pushed.append(memo.get(argument))
        elif operation.stack_after:
            pushed.append(argument)
        pushed = pushed[-2:]
