"""How much of a tile a local network needs to see for some of its pixels."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.patching import TiledAxis


@dataclass(frozen=True)
class Strips:
    """Cuts tiles along one axis so that pixels that are kept come out as of the whole tile.

    Where a tile goes on beyond what the network looks at it is cut, on the grid's alignment; an end
    that is looked at stays where it is, with the padding that the network, or `Model` for it, puts
    there.

    Parameters
    ----------
    along : TiledAxis
        The plan's tiles along the axis.
    geometry : ModelGeometry
        Of the network, which looks at less than all of a tile.
    axis : int
        Which of (Z)YX it is.
    """

    along: TiledAxis
    geometry: ModelGeometry
    axis: int

    def cut(self, start: int, stop: int, begin: int, end: int) -> tuple[int, int]:
        """Start and size of what is run.

        Parameters
        ----------
        start, stop : int
            Ends of the tile, in pixels of the axis and on the alignment.
        begin, end : int
            The pixels wanted of it: begin…end−1.
        """
        assert self.geometry.reach is not None
        k, far = self.along.alignment, self.geometry.reach[self.axis]
        low = max(start, (begin - far) // k * k)
        high = min(stop, -(-(end + far) // k) * k)
        if high == stop:
            # Padding at the far end is part of what comes out: there is to be as much of it.
            usual = self._padding(self.along.patch)
            while low > start and self._padding(high - low) != usual:
                low -= k
        return low, high - low

    def _padding(self, size: int) -> int | None:
        """Pixels that `Model` adds at the far end of a size, None where it is too large."""
        geometry, axis = self.geometry, self.axis
        lost = max(geometry.offset[axis], 0) + max(geometry.far_offset[axis], 0)
        wanted = list(geometry.sizes.minimum)
        wanted[axis] = size + lost
        full = geometry.sizes.rounded_up(wanted)
        return None if full is None else full[axis] - size
