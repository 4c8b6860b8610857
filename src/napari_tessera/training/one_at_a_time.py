"""One training to a model: a second one would write over what the first has come to."""

from __future__ import annotations

import errno
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_tessera.writing.places.file_lock import FileLock, read_note
from napari_tessera.writing.places.writer_note import WriterNote

_KNOWS_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})


@contextmanager
def only_training_of(model_out: Path) -> Iterator[None]:
    """Keep other trainings away from a model's file, and from the state beside it.

    The lock is the system's, on a hidden file ``.NAME.lock`` beside the model: it is gone with the
    process, however that ends. On file systems that know no locks nobody is kept away.

    Parameters
    ----------
    model_out : Path
        The model's file, in a folder that can be written to.

    Raises
    ------
    FileExistsError
        If another training has it, of this or another process.
    """
    path = model_out.with_name(f".{model_out.name}.lock")
    lock = None
    try:
        lock = FileLock(path, WriterNote.of_this_process(uuid.uuid4().hex, time.time()))
    except BlockingIOError:
        who = read_note(path) or "another process"
        raise FileExistsError(
            f"{model_out} is trained by {who}: wait for it, or choose another name"
        ) from None
    except OSError as error:
        if error.errno not in _KNOWS_NO_LOCKS:
            raise
        # it was made before the lock was asked for
        path.unlink(missing_ok=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
