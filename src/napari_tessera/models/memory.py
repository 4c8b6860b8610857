"""How much memory a run of a network takes, for each pixel of a tile."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_tessera.models.calling import random_batch
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


def measure_memory(
    run: Callable[[Tensor], Tensor],
    fitting: Callable[[Sequence[int]], Sequence[int] | None],
    spatial_dims: int,
    channels: int,
    device: torch.device,
) -> float:
    """Measure the peak of what a run of one sample holds, in bytes for each of its pixels.

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
    float
        `UNSEEN` where no more than copies of input and answer were seen.
    """
    is_cuda = device.type == "cuda"
    wanted = (_LARGE, _LARGER) if is_cuda else (_SMALL, _LARGE)
    sizes = [fitting(table[spatial_dims]) or fitting((1,) * spatial_dims) for table in wanted]
    peak = _cuda_peak if is_cuda else _tensor_peak
    seen: dict[int, int] = {}
    least = 0.0
    for size in sizes:
        if size is None:
            continue
        batch = random_batch((1, channels, *size)).to(device)
        pixels = batch[0, 0].numel()
        if pixels not in seen:
            answer, seen[pixels] = peak(run, batch)
            least = 4.0 * (channels + answer[0].numel() / pixels)
    if not seen:
        return UNSEEN
    (few, at_few), *rest = sorted(seen.items())
    # the one size it takes: what does not grow is counted in
    found = at_few / few
    if rest:
        many, at_many = rest[-1]
        found = (at_many - at_few) / (many - few)
    return found if found > _COPIES * least else max(UNSEEN, least)


def _cuda_peak(run: Callable[[Tensor], Tensor], batch: Tensor) -> tuple[Tensor, int]:
    run(batch)
    torch.cuda.synchronize(batch.device)
    torch.cuda.reset_peak_memory_stats(batch.device)
    before = torch.cuda.memory_allocated(batch.device)
    answer = run(batch)
    torch.cuda.synchronize(batch.device)
    return answer, int(torch.cuda.max_memory_allocated(batch.device) - before)


def _tensor_peak(run: Callable[[Tensor], Tensor], batch: Tensor) -> tuple[Tensor, int]:
    with _LiveTensors() as live:
        answer = run(batch)
    return answer, int(live.peak)


class _LiveTensors(Watching):  # type: ignore[no-untyped-call]
    """Adds up what the tensors that are made in this thread hold while they are alive."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
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
            weakref.finalize(storage, self._remove, place)

    def _remove(self, place: int) -> None:
        self._now -= self._sizes.pop(place, 0)
