"""What is said where a disk is full: how much is saved, and that the run can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.stored.ledger import Ledger


@contextmanager
def telling_what_is_saved(
    name: str,
    ledger: Ledger,
    enter_durable: Callable[[], None],
    *,
    way_out: str = "make room and resume",
) -> Iterator[None]:
    """Add the number of tiles that are saved to the error of a full disk.

    Parameters
    ----------
    name : str
        What the place is called.
    ledger : Ledger
        Knows what is saved.
    enter_durable : callable
        Enters what was written and is not in the ledger yet.
    way_out : str
        What to do then.

    Raises
    ------
    StoreError
        In one line, in the place of one that tells of a full disk; others go through.
    """
    try:
        yield
    except StoreError as error:
        if not error.full:
            raise
        # what was written before the disk was full counts
        with suppress(OSError):
            enter_durable()
        raise StoreError(
            f"no space left on {name}: {ledger.n_done} tiles are saved; {way_out}",
            error,
        ) from error
