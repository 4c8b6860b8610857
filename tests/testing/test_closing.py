"""Closing: what a stack that holds a file open must do, and stacks that do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
import pytest

from napari_tessera.stacks import StackReadError
from napari_tessera.testing import check_closes

from .right import Array, Right


class FileStack(Right):
    """Raw pixels in a file that stays open."""

    def __init__(self, path: Path, array: Array) -> None:
        super().__init__(array)
        self.origins = (path,)
        self._handle = path.open("rb")

    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        if self._handle.closed:
            raise self.error()
        return super().extract_patch(*args, **kwargs)

    def error(self) -> Exception:
        return ValueError("closed")

    def close(self) -> None:
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class ReadErrorStack(FileStack):
    def error(self) -> Exception:
        return StackReadError("closed")


class KeyErrorStack(FileStack):
    def error(self) -> Exception:
        return KeyError("closed")


class NeverEntered(Right):
    def close(self) -> None:
        pass


class ReadsAfterwards(FileStack):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        return Right.extract_patch(self, *args, **kwargs)


class ClosesOnce(FileStack):
    def close(self) -> None:
        if self._handle.closed:
            raise RuntimeError("closed before")
        super().close()


class GivesAnother(FileStack):
    def __enter__(self) -> Any:
        return Right(self._array)


class KeepsItsFile(FileStack):
    """Closes one of two handles."""

    def __init__(self, path: Path, array: Array) -> None:
        super().__init__(path, array)
        self.other = path.open("rb")


class ReadsNothing(FileStack):
    def extract_patch(self, *args: Any, **kwargs: Any) -> Any:
        raise StackReadError("no such block")


@pytest.fixture
def opener(tmp_path: Path) -> Callable[[Any], Callable[[], Any]]:
    path = tmp_path / "cells.raw"
    array = np.arange(1, 2 * 3 * 4 * 5 * 6 + 1).reshape(2, 3, 4, 5, 6).astype("uint16")
    path.write_bytes(array.tobytes())
    return lambda kind: lambda: kind(path, array)


@pytest.mark.parametrize("kind", [FileStack, ReadErrorStack])
def test_a_stack_that_closes(kind: Any, opener: Any) -> None:
    check_closes(opener(kind))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (KeyErrorStack, "reading after close.* raised KeyError.* instead of ValueError"),
        (ReadsAfterwards, "reads after close.* instead of raising ValueError"),
        (ClosesOnce, "closing twice raised RuntimeError: closed before"),
        (ReadsNothing, "reading while open raised StackReadError: no such block"),
    ],
)
def test_a_stack_that_does_not(kind: Any, message: str, opener: Any) -> None:
    with pytest.raises(AssertionError, match=f"^right: check_closes: {message}"):
        check_closes(opener(kind))


def test_with_must_give_the_stack_itself(opener: Any) -> None:
    with pytest.raises(AssertionError, match="'with' gives another object"):
        check_closes(opener(GivesAnother))


def test_no_context_manager() -> None:
    with pytest.raises(AssertionError, match="it has no __enter__"):
        check_closes(lambda: NeverEntered(np.ones((1, 1, 1, 4, 4), "uint8")))


@pytest.mark.skipif(psutil.WINDOWS, reason="Windows does not tell which files are open")
def test_a_file_left_open_is_found(opener: Any) -> None:
    opened: list[KeepsItsFile] = []

    def open_again() -> KeepsItsFile:
        opened.append(opener(KeepsItsFile)())
        return opened[-1]

    with pytest.raises(AssertionError, match=r"after close\(\), .*cells.raw is still open"):
        check_closes(open_again)
    for stack in opened:
        stack.other.close()


def test_stacks_that_close_each_other(opener: Any) -> None:
    shared: list[FileStack] = []

    def open_again() -> FileStack:
        if not shared or shared[-1]._handle.closed:
            shared.append(opener(FileStack)())
        return shared[-1]

    with pytest.raises(AssertionError, match="reading while open raised ValueError: closed"):
        check_closes(open_again)
