"""Kinds of stack that others add: in a running program, or by a package that is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from threading import Lock
from typing import Any, TypeVar

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.closing import close_stack
from napari_tessera.stacks.protocol import ImageStack

ENTRY_POINT_GROUP = "napari_tessera.stacks"
"""Group of entry points under which a package names its opener."""

_Opener = TypeVar("_Opener", bound=Callable[..., ImageStack | None])

# The one state that this package keeps between calls: a format that a program adds must be known
# wherever an image is opened, in the window and in threads as well, and those places share
# nothing else. It holds functions only, and is never changed but under its lock.
_openers: tuple[Callable[..., ImageStack | None], ...] = ()
_lock = Lock()


def register_stack(opener: _Opener) -> _Opener:
    """Have `open_stack` ask an opener, before the kinds that are built in.

    Parameters
    ----------
    opener : callable
        ``opener(source, axes, *, channels, level)`` gives an `ImageStack`, or None for a source
        that is not its own; these are the parameters of `open_stack`. A path comes as it was
        given: a text (``#`` and what follows it included) or a path object. An opener honours
        channels and level, or raises ValueError where it has no such thing: that ``channels`` are
        as many as were asked for is all that can be checked of it. Openers registered later are
        asked first; one that is registered already moves to the front.

    Returns
    -------
    callable
        The opener, so that this can stand as a decorator above it.

    Raises
    ------
    ValueError
        If it cannot be called.
    """
    if not callable(opener):
        raise ValueError(f"{opener!r} cannot be called; register a function that opens a source")
    global _openers
    with _lock:
        _openers = (opener, *(other for other in _openers if other is not opener))
    return opener


def unregister_stack(opener: Callable[..., ImageStack | None]) -> None:
    """Have `open_stack` ask an opener no more.

    Raises
    ------
    ValueError
        If it is not registered.
    """
    global _openers
    with _lock:
        if not any(other is opener for other in _openers):
            raise ValueError(f"{opener!r} is not registered")
        _openers = tuple(other for other in _openers if other is not opener)


def open_registered(
    source: Any, axes: str | None, channels: Sequence[int] | None, level: int
) -> ImageStack | None:
    """Ask the registered openers; what one of them raises comes out as it is.

    Raises
    ------
    ValueError
        If one gives something that is neither a stack nor None, or another number of channels
        than was asked for.
    """
    for opener in _openers:
        found = opener(source, axes, channels=channels, level=level)
        stack = _checked(found, _name(opener), channels)
        if stack is not None:
            return stack
    return None


def open_installed(
    source: Any, axes: str | None, channels: Sequence[int] | None, level: int
) -> tuple[ImageStack | None, list[str]]:
    """Ask the openers of installed packages, in the order of their names.

    Returns
    -------
    stack : ImageStack or None
        From the first that opens the source.
    failures : list of str
        One line for each opener that failed before, naming its package. Whoever has a reason to
        fail tells them; a source that another opener takes is not held up by a broken package.
    """
    failures = []
    for entry_point in _installed():
        name = _package(entry_point)
        try:
            opener = entry_point.load()
            found = opener(source, axes, channels=channels, level=level)
            stack = _checked(found, name, channels)
        except MemoryError:
            raise
        except Exception as error:
            failures.append(f"{name} failed: {error_line(error)}")
            continue
        if stack is not None:
            return stack, failures
    return None, failures


def _installed() -> Iterator[EntryPoint]:
    yield from sorted(entry_points(group=ENTRY_POINT_GROUP), key=_package)


def _package(entry_point: EntryPoint) -> str:
    package = entry_point.dist
    owner = f"of the package {package.name} {package.version}" if package else "of no package"
    return f"the opener {entry_point.name!r} {owner}"


def _checked(stack: Any, name: str, channels: Sequence[int] | None) -> ImageStack | None:
    """What an opener gave; one that forgot the channels is told by their number alone."""
    if stack is None:
        return None
    if not isinstance(stack, ImageStack):
        kind = type(stack).__name__
        raise ValueError(f"{name} gave {kind}, which is neither an ImageStack nor None")
    found = stack.data_shape[1]
    if channels is not None and found != len(channels):
        close_stack(stack)
        raise ValueError(
            f"{name} gave {found} channels where {len(channels)} were asked for; leave channels "
            "out, or mend the opener"
        )
    return stack


def _name(opener: object) -> str:
    return f"the opener {getattr(opener, '__qualname__', None) or repr(opener)}"
