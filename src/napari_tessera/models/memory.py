"""How much memory a run of a network takes, for each pixel of a tile."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from napari_tessera.models.calling import random_batch
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.threads import few_threads
from napari_tessera.models.watching import Watching

UNSEEN = 2048.0
"""Bytes per pixel that are taken for granted where a network's memory cannot be seen: that of
functions which leave PyTorch, and of ONNX Runtime. A U-Net with 64 channels at full resolution
takes 1.5 to 2 KiB."""

_COPIES = 3.0
"""Peaks up to so many times input and answer are those of copies: the rest is not seen then."""

_SMALL = {2: (64, 64), 3: (16, 32, 32)}
_LARGE = {2: (96, 96), 3: (16, 48, 48)}
_LARGER = {2: (256, 512), 3: (32, 64, 128)}
"""On an accelerator: small tiles there take kernels that large ones do not."""


@dataclass(frozen=True)
class Held:
    """What a run of one sample holds, in bytes for each of its pixels.

    Parameters
    ----------
    peak : float
        The most at once; `UNSEEN` where that cannot be seen.
    largest : float
        What its largest tensor has; 0 where that was not seen.
    """

    peak: float
    largest: float = 0.0

    @classmethod
    def from_json(cls, kept: object) -> Self | None:
        """What `to_json` gave; None for anything else."""
        if not isinstance(kept, list) or not all(isinstance(one, float) for one in kept):
            return None
        return cls(*kept) if len(kept) == 2 and kept[0] > 0 and kept[1] >= 0 else None

    def to_json(self) -> list[float]:
        """As JSON takes it."""
        return [self.peak, self.largest]


def memory_of(
    run: Callable[[Tensor], Tensor], geometry: ModelGeometry, channels: int, device: torch.device
) -> Held:
    """Measure what a model holds, on tiles of sizes at which nothing is padded for it.

    Parameters
    ----------
    run : callable
        The model.
    geometry, channels, device
        Of the model.
    """
    if not geometry.keeps_size:
        return Held(UNSEEN)
    lost = [near + far for near, far in zip(geometry.offset, geometry.far_offset, strict=True)]

    def fitting(size: Sequence[int]) -> tuple[int, ...] | None:
        full = geometry.sizes.rounded_up(size)
        return full and tuple(n - max(less, 0) for n, less in zip(full, lost, strict=True))

    with few_threads(len(lost) == 2 and device.type == "cpu"):
        return measure_memory(run, fitting, len(lost), channels, device)


def measure_memory(
    run: Callable[[Tensor], Tensor],
    fitting: Callable[[Sequence[int]], Sequence[int] | None],
    spatial_dims: int,
    channels: int,
    device: torch.device,
) -> Held:
    """Measure what a run of one sample holds.

    Two runs of different sizes are compared, so that what does not grow (weights, tables) does not
    count. On CUDA it is the peak of the allocator; elsewhere that of the tensors which are alive at
    once, whichever way they are made (eager, TorchScript, exported programs), without the work
    space of single operations.

    Parameters
    ----------
    run : callable
        Takes and gives float32 NC(Z)YX on ``device``.
    fitting : callable
        Gives the size at hand that it takes instead of a size, along (Z)YX; None where there is
        none.
    spatial_dims, channels : int
        Of the input.
    device : torch.device
        Where it runs.

    Returns
    -------
    Held
        Its peak is `UNSEEN` where no more than copies of input and answer were seen.
    """
    is_cuda = device.type == "cuda"
    wanted = (_LARGE, _LARGER) if is_cuda else (_SMALL, _LARGE)
    sizes = [fitting(table[spatial_dims]) or fitting((1,) * spatial_dims) for table in wanted]
    peak = _cuda_peak if is_cuda else _tensor_peak
    seen: dict[int, int] = {}
    largest = 0.0
    least = 0.0
    for size in sizes:
        if size is None:
            continue
        batch = random_batch((1, channels, *size)).to(device)
        pixels = batch[0, 0].numel()
        if pixels not in seen:
            answer, seen[pixels], most = peak(run, batch)
            largest = most / pixels
            least = 4.0 * (channels + answer[0].numel() / pixels)
    if not seen:
        return Held(UNSEEN)
    (few, at_few), *rest = sorted(seen.items())
    # the one size it takes: what does not grow is counted in
    found = at_few / few
    if rest:
        many, at_many = rest[-1]
        found = (at_many - at_few) / (many - few)
    if found > _COPIES * least:
        return Held(found, largest)
    return Held(max(UNSEEN, least))


def _cuda_peak(run: Callable[[Tensor], Tensor], batch: Tensor) -> tuple[Tensor, int, int]:
    run(batch)
    torch.cuda.synchronize(batch.device)
    torch.cuda.reset_peak_memory_stats(batch.device)
    before = torch.cuda.memory_allocated(batch.device)
    answer = run(batch)
    torch.cuda.synchronize(batch.device)
    return answer, int(torch.cuda.max_memory_allocated(batch.device) - before), 0


def _tensor_peak(run: Callable[[Tensor], Tensor], batch: Tensor) -> tuple[Tensor, int, int]:
    with _LiveTensors() as live:
        answer = run(batch)
    return answer, live.peak, live.largest


class _LiveTensors(Watching):  # type: ignore[no-untyped-call]
    """Adds up what the tensors that are made in this thread hold while they are alive."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self.largest = 0
        self._now = 0
        self._sizes: dict[int, int] = {}

    def see(self, name: str, args: Sequence[Any], made: list[Tensor]) -> None:
        """Count what was made, until it is gone."""
        for tensor in made:
            self._add(tensor)

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        place = storage.data_ptr()
        if place and place not in self._sizes:
            self._sizes[place] = storage.nbytes()
            self._now += self._sizes[place]
            self.peak = max(self.peak, self._now)
            self.largest = max(self.largest, self._sizes[place])
            weakref.finalize(storage, self._remove, place)

    def _remove(self, place: int) -> None:
        self._now -= self._sizes.pop(place, 0)
