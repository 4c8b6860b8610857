"""Whose the path under *To* is: one that an image was saved to is not offered to the next image."""

from __future__ import annotations

from pathlib import Path


class LastPath:
    """Takes the last run's path out of the field for other images, and gives it back for its own.

    What was typed and not run with stays, whatever image is chosen.
    """

    def __init__(self) -> None:
        self._images: tuple[object, ...] = ()
        self._is_last = False
        self._put_aside: tuple[tuple[object, ...], str] | None = None

    def of_run(self, saved_to: Path | None, path: Path | None) -> bool:
        """Take in where the last run saves; gives whether that is the path.

        Parameters
        ----------
        saved_to : Path or None
            Where the last run saves; None: in memory only.
        path : Path or None
            What the field says.
        """
        self._is_last = saved_to is not None and saved_to == path
        if self._put_aside is not None and self._put_aside[1] != str(saved_to):
            self._put_aside = None
        return self._is_last

    def for_images(self, images: tuple[object, ...], typed: str) -> str:
        """What the field is to say now that other images are chosen.

        Parameters
        ----------
        images : tuple
            What tells the images chosen from others.
        typed : str
            What the field says.
        """
        before, self._images = self._images, images
        if images == before:
            return typed
        if self._is_last:
            self._is_last = False
            self._put_aside = before, typed
            return ""
        if not typed and self._put_aside is not None and self._put_aside[0] == images:
            self._is_last = True
            return self._put_aside[1]
        return typed
