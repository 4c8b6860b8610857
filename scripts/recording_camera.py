"""A camera for a part of the screen, in a process of its own: it takes pictures at a steady rate.

So it takes little time from the window that it films. Times are those of `time.monotonic`,
which all processes of a computer share.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from PIL.Image import Image

RATE = 12.0
"""Pictures per second."""

START_S = 60.0


class Film:
    """What was filmed.

    Attributes
    ----------
    times : list of float
        When each picture was taken.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self.path, self.size = path, size
        self.times: list[float] = []
        self.indices: list[int] = []

    def pictures(self) -> Iterator[Image]:
        """The pictures, in order."""
        from PIL import Image

        width, height = self.size
        length = 3 * width * height
        with self.path.open("rb") as file:
            for index in self.indices:
                file.seek(index * length)
                yield Image.frombytes("RGB", self.size, file.read(length))


@contextmanager
def filming(display: str, box: tuple[int, int, int, int], path: Path) -> Iterator[Film]:
    """Film a part of a screen for as long as the ``with`` block lasts.

    Parameters
    ----------
    display : str
        The X display.
    box : tuple of int
        Left, top, right and bottom on it.
    path : Path
        A file for the pictures meanwhile.

    Yields
    ------
    Film
        Complete after the block.
    """
    film = Film(path, (box[2] - box[0], box[3] - box[1]))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_take, args=(theirs, display, box, str(path)))
    process.start()
    try:
        if not ours.poll(START_S) or ours.recv() != "ready":
            raise RuntimeError("the camera did not start")
        yield film
        ours.send("stop")
        film.times, film.indices = ours.recv()
    finally:
        process.terminate()
        process.join()


def _take(pipe: Connection, display: str, box: tuple[int, int, int, int], path: str) -> None:
    """Take pictures until something comes through the pipe."""
    times: list[float] = []
    indices: list[int] = []
    last: Any = None
    stored = 0
    with open(path, "wb") as file:
        _grab(display, box)
        pipe.send("ready")
        due = time.monotonic()
        while not pipe.poll(max(0.0, due - time.monotonic())):
            due = max(due + 1 / RATE, time.monotonic())
            times.append(time.monotonic())
            pixels = _grab(display, box)
            if pixels != last:
                file.write(pixels)
                last, stored = pixels, stored + 1
            indices.append(stored - 1)
    pipe.send((times, indices))


def _grab(display: str, box: tuple[int, int, int, int]) -> bytes:
    from PIL import ImageGrab

    picture = ImageGrab.grab(bbox=box, xdisplay=display)
    return picture.convert("RGB").tobytes()
