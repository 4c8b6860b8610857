"""Reading the lists of objects (pickles) that a TorchScript file carries, without making any.

PyTorch believes them: a tensor gets as many numbers as its list says, also where the archive holds
fewer, and what lies behind them in memory is then read as weights. So each list is gone through
here as PyTorch's reader goes through it, with stand-ins in the place of objects, and every tensor
is compared with the numbers that are there.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_tessera.models.errors import shown
from napari_tessera.models.torchscript.source import RefusedCodeError

_NAMES = re.compile(
    r"__torch__ \w+|__torch__\.(?!torch\.classes\.)[\w.]+ \w+|torch \w+Storage"
    r"|torch\._utils _rebuild_tensor(_v2)?|collections OrderedDict|builtins complex"
    r"|torch\.jit\._pickle (build_\w+list|restore_type_tag)",
    re.ASCII,
)
"""What a list may name: tensors, lists and the file's own classes."""

_BYTES = {
    **{"Byte": 1, "Char": 1, "Bool": 1, "Short": 2, "Half": 2, "BFloat16": 2, "Int": 4},
    **{"Float": 4, "Long": 8, "Double": 8, "ComplexFloat": 8, "ComplexDouble": 16},
}
"""Bytes of a number, by the kind of storage."""

_MOST_NUMBERS = 2**40
"""Numbers of a tensor, repeated ones (stride 0) included: their count must not overflow."""


@dataclass(frozen=True)
class _Name:
    text: str


@dataclass(frozen=True)
class _Storage:
    numbers: int


class _Other:
    """An object that no tensor is made of."""


_OTHER = _Other()
_MARK = object()

_WHOLE = frozenset({"BININT", "BININT1", "BININT2", "LONG1"})
_SINGLE = frozenset(
    {"NONE", "NEWTRUE", "NEWFALSE", "BINFLOAT", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"}
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def check_objects(content: bytes, records: Mapping[str, int]) -> None:
    """Refuse a list that names other than tensors, or tensors of more numbers than there are.

    Parameters
    ----------
    content : bytes
        ``data.pkl`` or ``constants.pkl``.
    records : mapping
        Bytes of each record that the archive has for this list.

    Raises
    ------
    RefusedCodeError
        Naming what was found, in half a sentence.
    """
    reader = _Reader(records)
    try:
        for operation, argument, _ in pickletools.genops(content):
            reader.step(operation.name, argument)
    except RefusedCodeError:
        raise
    except Exception as error:
        # pickletools raises whatever its readers of single arguments raise
        raise RefusedCodeError("its list of objects is damaged") from error


class _Reader:
    """PyTorch's reader, with stand-ins. Whatever it takes and PyTorch never writes is refused."""

    def __init__(self, records: Mapping[str, int]) -> None:
        self._records = records
        self._stack: list[Any] = []
        self._kept: dict[int, Any] = {}

    def step(self, operation: str, argument: Any) -> None:
        stack = self._stack
        match operation:
            case "PROTO" | "STOP":
                return
            case "MARK":
                stack.append(_MARK)
            case "GLOBAL":
                if not _NAMES.fullmatch(str(argument)):
                    raise RefusedCodeError(f"it needs {shown(str(argument).replace(' ', '.'), 80)}")
                stack.append(_Name(str(argument)))
            case "BINUNICODE":
                stack.append(str(argument))
            case _ if operation in _WHOLE:
                stack.append(int(argument))
            case _ if operation in _SINGLE:
                stack.append(_OTHER)
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE":
                stack.append(tuple(self._marked()))
            case _ if operation in _TUPLES:
                stack.append(tuple(self._popped() for _ in range(_TUPLES[operation]))[::-1])
            case "BINPUT" | "LONG_BINPUT":
                self._put(int(argument))
            case "BINGET" | "LONG_BINGET":
                stack.append(self._kept[int(argument)])
            case "APPEND":
                self._popped()
            case "APPENDS" | "SETITEMS":
                self._marked()
            case "SETITEM":
                self._popped()
                self._popped()
            case "BINPERSID":
                stack.append(self._storage(self._popped()))
            case "NEWOBJ":
                self._new()
            case "BUILD":
                self._popped()
            case "REDUCE":
                given = self._popped()
                stack.append(_reduced(self._popped(), given))
            case _:
                raise RefusedCodeError("it holds Python objects")

    def _popped(self) -> Any:
        item = self._stack.pop()
        if item is _MARK:
            raise RefusedCodeError("its list of objects is damaged")
        return item

    def _put(self, place: int) -> None:
        item = self._popped()
        self._stack.append(item)
        self._kept[place] = item

    def _marked(self) -> list[Any]:
        items = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _new(self) -> None:
        given, kind = self._popped(), self._popped()
        # another name here would be called with what only BUILD hands over
        if given != () or not isinstance(kind, _Name) or not kind.text.startswith("__torch__"):
            raise RefusedCodeError("its list of objects is damaged")
        self._stack.append(_OTHER)

    def _storage(self, given: Any) -> _Storage:
        match given:
            case ("storage", _Name(kind), str(key), str(), int(numbers)) if numbers >= 0:
                name = kind.removeprefix("torch ").removesuffix("Storage")
                if name not in _BYTES:
                    raise RefusedCodeError(f"it needs {shown(kind.replace(' ', '.'), 80)}")
                if numbers and numbers * _BYTES[name] > self._records.get(key, -1):
                    raise RefusedCodeError(
                        f"its weights are cut short: {numbers:,} numbers are said to lie where "
                        f"{self._records.get(key, 0):,} bytes are"
                    )
                return _Storage(numbers)
        raise RefusedCodeError("its list of weights is damaged")


def _reduced(called: Any, given: Any) -> Any:
    """What a call gives: a tensor is compared with its numbers."""
    if not isinstance(called, _Name) or not isinstance(given, tuple):
        raise RefusedCodeError("its list of objects is damaged")
    if called.text == "torch.jit._pickle restore_type_tag":
        return given[0]
    if called.text.startswith("torch._utils"):
        match given:
            case (_Storage(numbers), int(first), tuple(sizes), tuple(strides), *_):
                _check_tensor(numbers, first, sizes, strides)
            case _:
                raise RefusedCodeError("its list of weights is damaged")
    return _OTHER


def _check_tensor(
    numbers: int, first: int, sizes: tuple[Any, ...], strides: tuple[Any, ...]
) -> None:
    """Refuse a tensor that reaches beyond its storage."""
    if len(sizes) != len(strides) or any(
        type(each) is not int or not 0 <= each < _MOST_NUMBERS for each in (first, *sizes, *strides)
    ):
        raise RefusedCodeError("its list of weights is damaged")
    count = 1
    for size in sizes:
        count *= max(size, 1)
    last = first + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if count > _MOST_NUMBERS or (0 not in sizes and last >= numbers):
        raise RefusedCodeError("one of its weights reaches beyond the numbers that are stored")
