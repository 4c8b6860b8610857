"""What somebody who looks at a run while it goes on is told, and may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from napari_tessera.region import Selection
    from napari_tessera.writing.stored.block_store import BlockStore


class BlockWatch(Protocol):
    """Follows the blocks of a run; called from threads of the run, never from the main one.

    All of it is to return at once: workers wait meanwhile.
    """

    def opened(self, store: BlockStore) -> None:
        """The image is there, made or reopened, before the first block is handed out.

        Parameters
        ----------
        store : BlockStore
            Has the arrays, how they are cut into blocks, and which of these are done.
        """
        ...

    def block_done(self, number: int) -> None:
        """A block was stored and entered by a worker."""
        ...

    def worker_lost(self, worker: str, *, expected: bool) -> None:
        """A worker is gone, and its block goes to another one.

        Parameters
        ----------
        worker : str
            Its address.
        expected : bool
            Whether it was told to go; else its process died, or it cannot be reached any more.
        """
        ...

    def first(self) -> Selection | None:
        """What of the output is looked at now: blocks that meet it are handed out before others.

        None where nothing is. Asked whenever blocks are handed out.
        """
        ...
