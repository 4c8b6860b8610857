"""An image that another process made for a run, open to write blocks of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import Any

import zarr
from zarr.abc.store import Store

from napari_tessera.region import Region
from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.zarr.nodes import quiet_zarr
from napari_tessera.writing.places.heartbeat import BEAT_SECONDS
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.places.target import Target, zarr_target
from napari_tessera.writing.stored.block_cut import BlockCut
from napari_tessera.writing.stored.block_ledger import BlockEntry, enter_block, open_block_ledger
from napari_tessera.writing.stored.crossing import stored_cut
from napari_tessera.writing.stored.image_levels import factors_of, open_levels
from napari_tessera.writing.stored.image_store import ImageStore
from napari_tessera.writing.stored.presence import Presence
from napari_tessera.writing.stored.run_attributes import ATTRIBUTE, BLOCKS, RUN


@dataclass(frozen=True, eq=False)
class BlockTarget:
    """What a worker writes to: pixels of its blocks, and their entries; no attribute, no lock.

    Parameters
    ----------
    target : Target
        The place.
    image : ImageStore
        The image there.
    cut : BlockCut
        Its blocks.
    ledger : zarr.Array
        The entries of its blocks.
    run_id : str
        Of the run that the blocks are written for: one that begins later has another.
    """

    target: Target
    image: ImageStore
    cut: BlockCut
    ledger: zarr.Array[Any]
    run_id: str
    _looked: list[float] = field(default_factory=lambda: [0.0], repr=False)

    @classmethod
    def open(cls, where: str | PathLike[str] | Store | Target, run_id: str) -> BlockTarget:
        """Open the image of a run that has begun.

        Raises
        ------
        StoreBusyError
            If what is there is of another run.
        StoreError
            If the place cannot be reached, or nothing is there.
        """
        target = zarr_target(where)
        try:
            with quiet_zarr():
                group = zarr.open_group(target.open_store(), mode="r+", use_consolidated=False)
            attributes: dict[str, Any] = group.attrs.asdict()
            stored = dict(attributes[ATTRIBUTE])
            _check_run(target, stored, run_id)
            cut = stored_cut(stored)
            arrays = open_levels(group, attributes)
            ledger = None if cut is None else open_block_ledger(group, cut.n_blocks)
        except (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError) as error:
            raise _not_there(target, error_line(error)) from error
        if cut is None or ledger is None:
            raise _not_there(target, "its blocks are not named")
        image = ImageStore(group, arrays, cut.held, cut.order, stored)
        return cls(target, image, cut, ledger, run_id)

    @property
    def arrays(self) -> list[zarr.Array[Any]]:
        """The levels of the image, the full size first."""
        return self.image.arrays

    @property
    def held(self) -> Region:
        """Part of the output that the image holds, copied channels included."""
        return self.image.region

    @cached_property
    def factors(self) -> list[tuple[int, ...]]:
        """How many pixels of the level before each became one along each axis, the first all 1."""
        return factors_of(self.arrays)

    @cached_property
    def _presence(self) -> Presence:
        return Presence(self.target, self.image)

    def look(self) -> None:
        """Look whether the image is where it was: to be called before anything is written.

        In a local folder each time; elsewhere, where that takes longer, now and then as `check`.

        Raises
        ------
        StoreBusyError, StoreError
            As `check`.
        """
        if self.target.folder is not None:
            self._presence.check()
        elif time.monotonic() - self._looked[0] > BEAT_SECONDS:
            self.check()

    def check(self) -> None:
        """Look whether the image is there and still this run's, in whatever place.

        Raises
        ------
        StoreBusyError
            If another run has begun there.
        StoreError
            If it is not there.
        """
        _check_run(self.target, self._presence.stored(), self.run_id)
        self._looked[:] = [time.monotonic()]

    def enter(self, number: int, entry: BlockEntry) -> None:
        """Enter a block all of whose pixels are stored.

        Raises
        ------
        StoreBusyError, StoreError
            As `check`; nothing is entered then.
        OSError
            Whatever writing raises.
        """
        self.check()
        enter_block(self.ledger, number, entry)


def _check_run(target: Target, stored: Any, run_id: str) -> None:
    blocks = stored.get(BLOCKS) if isinstance(stored, dict) else None
    if not isinstance(blocks, dict) or blocks.get(RUN) != run_id:
        raise StoreBusyError(
            f"{target.name} was taken over by another run: this one stops here; look which of "
            "them shall write there"
        )


def _not_there(target: Target, what: str) -> StoreError:
    return StoreError(
        f"{target.name} is not the image that was begun ({what}): give a place that all workers "
        "reach under the same name, as a shared folder or a URL"
    )
