"""What tifffile logs while a file is opened: one line where all went well, none beside an error."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

LOGGER = "tifffile"
"""Name of tifffile's logger."""

_KEPT: ContextVar[list[str] | None] = ContextVar("kept", default=None)
_SPEAKER = re.compile(r"^<[^<>]*>\s*")
_LOST_PART = re.compile(r"OME series failed to read '(.*)', raised .* Missing data are zeroed")
"""Said of a part of an image that is not there; to us its planes are no zeros, but an error."""


class _Keep(logging.Filter):
    """Keeps back what is logged in a context that asks for it; all others log as ever."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record goes on to the handlers."""
        kept = _KEPT.get()
        if kept is None:
            return True
        text = _SPEAKER.sub("", " ".join(record.getMessage().split()))
        kept.append(
            _LOST_PART.sub(r"\1 cannot be read, and its planes are missing: put it there", text)
        )
        return False


_KEEP = _Keep()


@contextmanager
def one_line_logged(path: Path) -> Iterator[None]:
    """Make one warning of what tifffile logs about a file; of what is raised, the error says it.

    Only what is logged by this thread (in this context) meanwhile is kept back.

    Parameters
    ----------
    path : pathlib.Path
        The file that is opened.
    """
    logger = logging.getLogger(LOGGER)
    # the same filter is not added twice
    logger.addFilter(_KEEP)
    kept: list[str] = []
    token = _KEPT.set(kept)
    try:
        yield
    finally:
        _KEPT.reset(token)
    if kept:
        different = list(dict.fromkeys(kept))
        more = f" (and {len(different) - 1} more)" if len(different) > 1 else ""
        logger.warning("%s: %s%s", path, different[0], more)
