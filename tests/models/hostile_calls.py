"""Calling operations with arguments that do not fit, to see which kernels trust them.

Every tensor that is given ends where its memory ends: one number too far and the process is gone.
Run with names of operations, it prints the calls that ended the process.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

_WAYS = 7
"""Sets of arguments for each operation."""

_SECONDS = 1
_SKIPPED = ("out", "Dimname", "dimname", "names", "generator")
_DONE = 2**32 - 1


def _guarded(shape: tuple[int, ...], dtype: torch.dtype, fill: float) -> torch.Tensor:
    """A tensor after whose last number no memory may be touched."""
    item = torch.empty((), dtype=dtype).element_size()
    size = int(np.prod(shape)) * item
    pages = -(-max(size, 1) // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    end = ctypes.c_void_p(start + pages * mmap.PAGESIZE)
    assert libc.mprotect(end, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    offset = pages * mmap.PAGESIZE - size
    tensor = torch.frombuffer(memory, dtype=dtype, count=size // item, offset=offset)
    return tensor.reshape(shape).fill_(fill)


class _Arguments:
    """Values for the arguments of operations, made once."""

    def __init__(self) -> None:
        floats = torch.float32
        self.large = _guarded((1, 3000, 2, 2), floats, 0.5)
        self.matrix = _guarded((3000, 3), floats, 0.5)
        self.square = _guarded((40, 40), floats, 0.5)
        self.volume = _guarded((2, 6, 5, 5), floats, 0.5)
        self.complex = _guarded((9, 9), torch.complex64, 0.5)
        self.one = _guarded((1,), floats, 1.0)
        self.none = self.one[1:]
        self.far = _guarded((2, 2), torch.int64, 10**9)
        self.before = _guarded((3,), torch.int64, -(10**9))
        self.least = _guarded((3,), torch.int64, -(2**63))
        self.minus = _guarded((3,), torch.int64, -1)
        self.nothing = _guarded((3,), torch.int64, 0)
        self.yes = _guarded((1,), torch.bool, 1)

    def value(self, kind: str, way: int, at: int) -> Any:
        """A value of a type for the argument at a place."""
        if kind.startswith("Optional["):
            if way == 6:
                return None
            kind = kind[9:-1]
        if kind == "Tensor":
            return self._tensor(way, at)
        if kind in ("List[Tensor]", "List[Optional[Tensor]]"):
            return [self._tensor(way, at), self._tensor(way, at + 1)]
        return {
            "int": (1, 0, 10**7, -1, 2, 2**62, 0)[way],
            "number": (0.5, 0, 10**7, -1, 2, -(2**63), 0)[way],
            "Scalar": (0.5, 0, 10**7, -1, 2, -(2**63), 0)[way],
            "float": (0.5, 0.0, 1e9, -1.0, 2.0, float("nan"), float("inf"))[way],
            "bool": way % 2 == 0,
            "List[int]": ([1, 1], [0, 0], [10**7, 3], [-1], [2, 2], [2**62, 2**62], [])[way],
            "List[float]": ([1.0, 1.0], [0.0], [1e9, 1e9], [-1.0], [2.0, 2.0], [1e30], [])[way],
            "List[bool]": ([True], [False, True], [], [True], [False], [True] * 9, [])[way],
            "str": ("mean", "reflect", "ij", "sum", "i,j->", "", "none")[way],
        }.get(kind)

    def _tensor(self, way: int, at: int) -> torch.Tensor:
        first, rest = {
            0: (self.large, (self.one,)),
            1: (self.matrix, (self.one, self.square)),
            2: (self.volume, (self.far, self.before, self.one)),
            3: (self.least, (self.minus, self.nothing)),
            4: (self.square, (self.none, self.one, self.far)),
            5: (self.complex, (self.one, self.complex)),
            6: (self.one, (self.large, self.matrix)),
        }[way]
        return first if at == 0 else rest[(at - 1) % len(rest)]


def _calls(name: str) -> Iterator[tuple[str, Any, int]]:
    packet = getattr(torch.ops.aten, name, None)
    for overload in packet.overloads() if packet is not None else ():
        operation = getattr(packet, overload)
        # results are never written to a given place: such calls are refused in files
        if any(argument.is_out for argument in operation._schema.arguments):
            continue
        # those of ``to`` that take no type at all are looked at before they are called
        if overload.endswith(_SKIPPED) or overload.startswith("prim_"):
            continue
        for way in range(_WAYS):
            yield f"{name}.{overload}", operation, way


def _call(operation: Any, way: int, arguments: _Arguments) -> None:
    positional, named = [], {}
    for at, argument in enumerate(operation._schema.arguments):
        # numbers that stand for types and layouts are checked before any call
        if str(argument.real_type).removeprefix("Optional[").startswith(
            ("ScalarType", "Layout", "MemoryFormat")
        ) or argument.name in ("dtype", "layout", "memory_format", "pin_memory", "generator"):
            value = None
        else:
            value = arguments.value(str(argument.type), way, at)
        if value is None and argument.name == "dtype" and "Optional" not in str(argument.type):
            value = torch.float32
        if argument.kwarg_only:
            named[argument.name] = value
        else:
            positional.append(value)
    try:
        operation(*positional, **named)
    except Exception:
        # refusing is what is wanted
        return


def _child(name: str, start: int, pipe: int) -> None:
    arguments = _Arguments()
    for number, (_, operation, way) in enumerate(_calls(name)):
        if number < start:
            continue
        os.write(pipe, number.to_bytes(4, "little"))
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        _call(operation, way, arguments)
        if operation._schema.is_mutable:
            arguments = _Arguments()
        signal.setitimer(signal.ITIMER_REAL, 0)
    os.write(pipe, _DONE.to_bytes(4, "little"))


def _last_call(name: str, start: int) -> tuple[int, int]:
    """Call in a child from a place on: number of the last call, and the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _child(name, start, writing)
        finally:
            os._exit(1)
    os.close(writing)
    last = b""
    while got := os.read(reading, 1 << 16):
        last = (last + got)[-4:]
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return int.from_bytes(last, "little"), os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def main(names: list[str]) -> None:
    """Print the calls that end the process, one a line: name, set of arguments, signal."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2)
    count = 0
    for name in names:
        start = 0
        while True:
            at, ended_by = _last_call(name, start)
            if at == _DONE and not ended_by:
                break
            called = list(_calls(name))[at][::2] if at != _DONE else (name, "afterwards")
            kind = "slow" if ended_by == signal.SIGALRM else f"signal {ended_by}"
            print(*called, kind, flush=True)
            if at == _DONE:
                break
            start = at + 1
        count += len(list(_calls(name)))
    print(count, "calls", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
