"""Tiles to the model and back with no device of its own memory between: CPU, and MPS as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.transfer.scaling import Scaling

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_tessera.models.processing import Resolved
    from napari_tessera.prediction.tile_io import Tile

KEPT = 64
"""Samples and channels whose numbers are kept at hand."""


class Coming(Protocol):
    """Cores on their way back."""

    def arrays(self) -> list[NDArray[np.float32]]:
        """Wait for them; each is an array of its own, ``C(Z)YX`` float32."""
        ...


class Transfer(Protocol):
    """Brings tiles to the model, and cores back. Used in one thread."""

    depth: int
    """Batches that may be at the model at once: begun, and not yet waited for."""

    def up(self, tiles: Sequence[Tile]) -> Tensor:
        """Tiles of one shape as the model's input, scaled: float32, NC(Z)YX, on its device.

        Holds until the next batch is brought, whose tensor may be the same one.
        """
        ...

    def down(self, cores: Sequence[tuple[Tensor, Resolved]]) -> Coming:
        """Scale what the network made back, ``C(Z)YX`` each, and bring it back."""
        ...


@dataclass(frozen=True)
class Here:
    """Cores that are back."""

    cores: list[NDArray[np.float32]]

    def arrays(self) -> list[NDArray[np.float32]]:
        """The cores."""
        return self.cores


class PlainTransfer:
    """Scales on the CPU, and copies to the device and back while everything waits.

    On the CPU nothing is copied: the model's input is written once, into the same memory each time.

    Parameters
    ----------
    device : torch.device
        Where the model runs.
    """

    depth = 1

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._here = device.type == "cpu"
        self._scaling = lru_cache(KEPT)(Scaling.of)
        self._buffer: NDArray[np.float32] | None = None

    def up(self, tiles: Sequence[Tile]) -> Tensor:
        """Scale tiles into one batch."""
        import torch

        shape = (len(tiles), *tiles[0].pixels.shape)
        if self._buffer is None or self._buffer.shape != shape:
            self._buffer = np.empty(shape, np.float32)
        for place, tile in zip(self._buffer, tiles, strict=True):
            scale_into(place, tile, self._scaling)
        batch = torch.from_numpy(self._buffer)
        return batch if self._here else batch.to(self._device)

    def down(self, cores: Sequence[tuple[Tensor, Resolved]]) -> Here:
        """Scale cores back."""
        return Here([self._restored(core, numbers) for core, numbers in cores])

    def _restored(self, core: Tensor, numbers: Resolved) -> NDArray[np.float32]:
        if core.device.type != "cpu":
            core = core.contiguous().cpu()
        return restored(core.numpy(), numbers, self._scaling(numbers, core.ndim))


def scale_into(
    place: NDArray[np.float32], tile: Tile, scaling: Callable[[Resolved, int], Scaling | None]
) -> None:
    """Write a tile as the network takes it, all but what `Resolved.prepared` does.

    Parameters
    ----------
    place : numpy.ndarray
        ``C(Z)YX`` float32, of the tile's shape.
    tile : Tile
        The tile.
    scaling : callable
        `Scaling.of`, or something that remembers what it gave.
    """
    np.copyto(place, tile.pixels)
    if tile.scaled:
        return
    numbers = scaling(tile.processing, place.ndim)
    assert numbers is not None, "tiles that float32 is too small for are scaled when they are read"
    numbers.scale(place)


def restored(
    core: NDArray[np.float32], processing: Resolved, numbers: Scaling | None
) -> NDArray[np.float32]:
    """What a network made of a core in grey levels, as an array of its own in C order."""
    with np.errstate(over="ignore", invalid="ignore"):
        if numbers is None:
            return np.ascontiguousarray(processing.shifted(processing.multiplied(core)), np.float32)
        own = np.array(core, order="C")
        numbers.restore(own)
    return own
