"""Tiles to a device with memory of its own, and cores back, while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.transfer.plain import KEPT, restored, scale_into
from napari_tessera.prediction.transfer.scaling import Scaling

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_tessera.models.processing import Resolved
    from napari_tessera.prediction.tile_io import Tile

DEPTH = 2
"""Batches at the device at once: while one is computed the next is on its way."""


class Mark(Protocol):
    """A place in the work of a device."""

    def wait(self) -> None:
        """Wait until the device is past it."""
        ...


class Lanes(Protocol):
    """Copies to and from a device that go on beside its computation."""

    def memory(self, size: int) -> Tensor:
        """Bytes of the host, that the device reads and writes by itself where there are such."""
        ...

    def copy_in(self, host: Tensor) -> tuple[Tensor, Mark]:
        """Begin a copy to the device, and let its computation wait for it.

        The host's memory is to stay as it is until the mark is passed.
        """
        ...

    def copy_out(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Mark:
        """Begin to copy what was computed on the device to the host: (there, host) each.

        The host's memory has it once the mark is passed.
        """
        ...


class HostMemory:
    """Buffers that are used again and again: it takes long to make memory fit for a device.

    Parameters
    ----------
    make : callable
        Gives so many bytes, as a uint8 tensor.
    """

    def __init__(self, make: Callable[[int], Tensor]) -> None:
        self._make = make
        self._free: list[Tensor] = []

    def take(self, size: int) -> Tensor:
        """A buffer of at least so many bytes that nobody else has."""
        while self._free:
            # one that is too small is let go: batches have one size, but the largest comes early
            if (buffer := self._free.pop()).numel() >= size:
                return buffer
        return self._make(size)

    def give_back(self, buffer: Tensor) -> None:
        """Let others have a buffer."""
        self._free.append(buffer)


def part_of(buffer: Tensor, dtype: Any, shape: Sequence[int], start: int = 0) -> Tensor:
    """A tensor in a buffer's bytes, from a byte on that is a multiple of its item's size."""
    stop = start + prod(shape) * dtype.itemsize
    part: Tensor = buffer[start:stop].view(dtype).view(*shape)
    return part


class StagedTransfer:
    """Brings raw pixels to a device, scales them there, and brings the finished cores back.

    Both go through memory of the host that is kept for it, in lanes beside the computation. Used
    in one thread.

    Parameters
    ----------
    device : torch.device
        Where the model runs.
    lanes : Lanes
        Its lanes.
    """

    depth = DEPTH

    def __init__(self, device: torch.device, lanes: Lanes) -> None:
        self._lanes = lanes
        self._memory_in = HostMemory(lanes.memory)
        self._memory_out = HostMemory(lanes.memory)
        self._on_way: deque[tuple[Tensor, Mark]] = deque()
        self._scaling = lru_cache(KEPT)(Scaling.of)
        # of a function that knows nothing of this: what is pinned is let go of with the last user
        self._there = lru_cache(KEPT)(partial(_numbers_on, device, self._scaling))

    def up(self, tiles: Sequence[Tile]) -> Tensor:
        """Bring tiles to the device as they are, or scaled where they differ in type."""
        import torch

        raw = not any(tile.scaled for tile in tiles)
        raw = raw and all(tile.pixels.dtype == tiles[0].pixels.dtype for tile in tiles)
        kind = tiles[0].pixels.dtype if raw else np.dtype(np.float32)
        shape = (len(tiles), *tiles[0].pixels.shape)
        while len(self._on_way) >= DEPTH:
            used, mark = self._on_way.popleft()
            mark.wait()
            self._memory_in.give_back(used)
        buffer = self._memory_in.take(prod(shape) * kind.itemsize)
        host = part_of(buffer, getattr(torch, kind.name), shape)
        for place, tile in zip(host.numpy(), tiles, strict=True):
            if raw:
                np.copyto(place, tile.pixels)
            else:
                scale_into(place, tile, self._scaling)
        there, mark = self._lanes.copy_in(host)
        self._on_way.append((buffer, mark))
        batch = there.to(torch.float32)
        if raw:
            self._scale(batch, tiles)
        return batch

    def _scale(self, batch: Tensor, tiles: Sequence[Tile]) -> None:
        first = tiles[0].processing
        if all(tile.processing is first for tile in tiles):
            self._on_device(first, batch.ndim - 1).scale(batch)
            return
        for pixels, tile in zip(batch, tiles, strict=True):
            self._on_device(tile.processing, pixels.ndim).scale(pixels)

    def down(self, cores: Sequence[tuple[Tensor, Resolved]]) -> _Landing:
        """Scale cores back on the device, and begin to bring them back: nothing else of a tile."""
        import torch

        made, late = [], []
        for core, processing in cores:
            # what a network keeps of its answer, or fills again with the next, is left alone
            own = core.clone(memory_format=torch.contiguous_format)
            numbers = self._there(processing, own.ndim)
            if numbers is not None:
                numbers.restore(own)
            late.append(processing if numbers is None else None)
            made.append(own)
        sizes = [own.numel() * 4 for own in made]
        buffer = self._memory_out.take(sum(sizes))
        hosts = [
            part_of(buffer, torch.float32, own.shape, sum(sizes[:i])) for i, own in enumerate(made)
        ]
        mark = self._lanes.copy_out(list(zip(made, hosts, strict=True)))
        return _Landing(self._memory_out, buffer, hosts, late, mark)

    def _on_device(self, processing: Resolved, ndim: int) -> Scaling:
        numbers = self._there(processing, ndim)
        assert numbers is not None, "tiles that float32 is too small for come scaled"
        return numbers


def _numbers_on(
    device: torch.device,
    scaling: Callable[[Resolved, int], Scaling | None],
    processing: Resolved,
    ndim: int,
) -> Scaling | None:
    """The numbers of some processing where they are computed with."""
    import torch

    numbers = scaling(processing, ndim)
    return numbers and numbers.converted(lambda array: torch.from_numpy(array).to(device))


@dataclass(frozen=True)
class _Landing:
    """Cores on their way back.

    Parameters
    ----------
    memory : HostMemory
        What the buffer belongs to.
    buffer : Tensor
        Where they arrive.
    hosts : sequence of Tensor
        Each of them in it.
    late : sequence of Resolved or None
        What they are still to be scaled by, where float32 is too small for it.
    mark : Mark
        When they have arrived.
    """

    memory: HostMemory
    buffer: Tensor
    hosts: Sequence[Tensor]
    late: Sequence[Resolved | None]
    mark: Mark

    def arrays(self) -> list[NDArray[np.float32]]:
        """Wait for them, and let the next ones have the buffer. To be called once."""
        self.mark.wait()
        cores = [
            np.array(host.numpy()) if late is None else restored(host.numpy(), late, None)
            for host, late in zip(self.hosts, self.late, strict=True)
        ]
        self.memory.give_back(self.buffer)
        return cores
