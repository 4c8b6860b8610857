"""Checks of stacks that hold files open: closing them, and opening them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_tessera.stacks import ImageStack, StackReadError, read_origins
from napari_tessera.stacks.checks import error_line

_CHECK = "check_closes"


def check_closes(open_again: Callable[[], ImageStack]) -> None:
    """Check that a stack with a ``close`` of its own closes as a context manager does.

    Inside its ``with`` it reads; afterwards it refuses to, and none of the local files that it
    reads from is open any more. Closing twice is no error. The same image opens again, and two
    stacks of it do not close each other's file.

    Parameters
    ----------
    open_again : callable
        Opens the stack, anew at every call.

    Raises
    ------
    AssertionError
        Naming stack and difference, in one line.
    """
    stack: Any = open_again()
    for name in ("close", "__enter__", "__exit__"):
        _require(hasattr(stack, name), stack, f"it has no {name}")
    files = read_origins(stack)
    with stack as inside:
        _require(inside is stack, stack, "'with' gives another object than the stack")
        first = _first_pixel(stack)
    _require(not _left_open(files), stack, f"after close(), {_left_open(files)} is still open")
    _refuses(stack)
    try:
        stack.close()
    except Exception as error:
        raise _failed(stack, f"closing twice raised {error_line(error)}") from error
    _refuses(stack)

    one, other = open_again(), open_again()
    with one, other:  # type: ignore[attr-defined]
        one.close()  # type: ignore[attr-defined]
        again = _first_pixel(other)
        _require(again.tobytes() == first.tobytes(), other, "opened again, its first pixel differs")


def _first_pixel(stack: ImageStack) -> NDArray[np.generic]:
    space = len(stack.data_shape) - 2
    try:
        return stack.extract_patch(0, None, (0,) * space, (1,) * space)
    except Exception as error:
        raise _failed(stack, f"reading while open raised {error_line(error)}") from error


def _refuses(stack: ImageStack) -> None:
    space = len(stack.data_shape) - 2
    try:
        stack.extract_patch(0, None, (0,) * space, (1,) * space)
    except (ValueError, StackReadError):
        return
    except Exception as error:
        raise _failed(
            stack, f"reading after close() raised {error_line(error)} instead of ValueError"
        ) from error
    raise _failed(stack, "reads after close() instead of raising ValueError")


def _left_open(files: Iterable[Path]) -> str | None:
    """A file of these that this process holds open; Windows does not tell reliably."""
    if psutil.WINDOWS:
        return None
    opened = {Path(file.path).resolve() for file in psutil.Process().open_files()}
    return next((str(path) for path in files if path.resolve() in opened), None)


def _require(condition: bool, stack: ImageStack, problem: str) -> None:
    if not condition:
        raise _failed(stack, problem)


def _failed(stack: ImageStack, problem: str) -> AssertionError:
    return AssertionError(" ".join(f"{stack.source}: {_CHECK}: {problem}".split()))
