"""An output on disk that the workers of a cluster write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.cluster.shown_blocks import ShownBlocks
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.disk_view import DiskView
from napari_tessera.widgets.levels_beside import LevelsBeside
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget

if TYPE_CHECKING:
    from napari_tessera.region import Selection
    from napari_tessera.writing.stored.block_store import BlockStore


class ClusterStore(DiskStore):
    """What is saved by a run on a cluster, as far as it is there.

    Parameters
    ----------
    plan, letters, colours, save
        As for `DiskStore`.
    news : callable
        Called, in a thread of this object's own, when more can be seen of what is in view.
    """

    def __init__(
        self,
        plan: PredictionPlan,
        letters: str,
        colours: Colours | None,
        save: ResolvedTarget,
        news: Callable[[], None],
    ) -> None:
        super().__init__(plan, letters, colours, save=save)
        self._news = news
        self._blocks: ShownBlocks | None = None
        self._view: Selection | None = None

    def opened(self, blocks: BlockStore) -> None:
        """Show what a run begins, or goes on with; called in the engine's thread."""
        if self.disposed:
            return
        array, *smaller = blocks.arrays
        self.held = blocks.cut.held
        if self.by_levels:
            self._smaller = smaller
            if self._beside is None:
                self._beside = LevelsBeside(
                    self.plan, self.held, array.dtype, self.colours, self.path
                )
            if self._blocks is not None:
                self._blocks.stop()
            saved = DiskView(array, self.held, self.held.axes)
            letters = blocks.cut.order.disk_axes
            depth = array.chunks[letters.index("Z")] if "Z" in letters else 1
            self._blocks = ShownBlocks(blocks.cut, saved, depth, self._beside.fill, self._news)
            self._blocks.look_at(self._view)
            self._blocks.add(blocks.done.nonzero()[0].tolist())
        # Last: from now on there is something to show.
        self._array = array

    def block_done(self, number: int) -> None:
        """Show a block that a worker has stored; called in the engine's thread."""
        # the GUI thread may let go of either at any moment
        beside, shown = self._beside, self._blocks
        if beside is not None:
            beside.changed_on_disk()
        if shown is not None:
            shown.add((number,))

    def look_at(self, view: Selection | None) -> None:
        """Show first what is in view."""
        self._view = view
        if self._blocks is not None:
            self._blocks.look_at(view)

    def close(self, completed: bool) -> None:
        """End the run; of one that is not complete, what is there goes on being shown."""
        shown = self._blocks
        if shown is not None and completed:
            shown.stop()
        elif shown is not None:
            shown.end()
        self._complete = completed

    def dispose(self) -> None:
        """Let go of the array."""
        if self._blocks is not None:
            self._blocks.stop()
        self._blocks = None
        super().dispose()
