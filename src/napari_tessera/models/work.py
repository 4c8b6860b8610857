"""How much a probe may compute: counted in multiplications, so that no clock decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from napari_tessera.models.calling import Network, random_batch
from napari_tessera.models.watching import Watching

MOST_WORK = 1e11
"""Multiplications after which only what nothing else can tell is measured: 4 to 10 seconds of one
core."""

UNSEEN_WORK = 32_768.0
"""Multiplications per pixel that are taken for granted where they cannot be seen: in functions that
leave PyTorch, and in ONNX Runtime. A U-Net of depth 3 with 16 channels at full resolution takes as
many."""

_SMALL = {2: (64, 64), 3: (16, 32, 32)}

_COPIES = 16
"""Up to so many times the numbers of input and answer are those of copies: nothing was seen."""


class WorkBudget:
    """A network that adds up what it is made to compute.

    Parameters
    ----------
    network : callable
        Takes float32 NC(Z)YX.
    per_pixel : float
        Multiplications for each pixel of an input, as `work_per_pixel` gives them.
    """

    def __init__(self, network: Network, per_pixel: float) -> None:
        self._network = network
        self._per_pixel = per_pixel
        self._spent = 0.0

    def __call__(self, batch: Tensor) -> Any:
        """Run the network."""
        self._spent += self._per_pixel * batch.shape[0] * prod(batch.shape[2:])
        return self._network(batch)

    @property
    def is_spent(self) -> bool:
        """Whether more than `MOST_WORK` has been computed."""
        return self._spent > MOST_WORK


def work_per_pixel(network: Network, batch: Tensor) -> float:
    """Count what a network multiplies, for each pixel of its input.

    The same on every machine and under every load. Programs of all kinds are seen through
    (eager, TorchScript, exported), as long as PyTorch's operations do the work.

    Parameters
    ----------
    network : callable
        Takes float32 NC(Z)YX.
    batch : Tensor
        An input that it takes.

    Returns
    -------
    float
        `UNSEEN_WORK` where no more than copies of input and answer are made.
    """
    with torch.no_grad(), _Counted() as counted:
        answer = network(batch)
    given = batch.numel() + (answer.numel() if isinstance(answer, Tensor) else 0)
    pixels = batch.shape[0] * prod(batch.shape[2:])
    return counted.total / pixels if counted.total > _COPIES * given else UNSEEN_WORK


def measure_work(
    network: Network,
    fitting: Callable[[Sequence[int]], Sequence[int] | None],
    spatial_dims: int,
    channels: int,
) -> float:
    """Count what a network multiplies for each pixel of a tile, on a small one.

    Parameters
    ----------
    network : callable
        Takes float32 NC(Z)YX, on the CPU.
    fitting : callable
        Gives the size at hand that it takes instead of a size, along (Z)YX; None where there is
        none.
    spatial_dims, channels : int
        Of the input.

    Returns
    -------
    float
        `UNSEEN_WORK` where no size is at hand, or nothing is seen.
    """
    size = fitting(_SMALL[spatial_dims]) or fitting((1,) * spatial_dims)
    if size is None:
        return UNSEEN_WORK
    return work_per_pixel(network, random_batch((1, channels, *size)))


class _Counted(Watching):  # type: ignore[no-untyped-call]
    """Counts the multiplications of convolutions and matrix products, and whatever is written."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def see(self, name: str, args: Sequence[Any], made: list[Tensor]) -> None:
        """Count one operation."""
        self.total += _work(name, args, sum(one.numel() for one in made))


def _work(name: str, args: Sequence[Any], written: int) -> int:
    """Multiplications of an operation, or the numbers that it writes where it does none."""
    if name in ("convolution", "_convolution"):
        image, kernels, is_transposed = args[0], args[1], bool(args[6])
        one_kernel = kernels.numel() // kernels.shape[0]
        return int((image.numel() if is_transposed else written) * one_kernel)
    if name in ("mm", "bmm", "addmm", "baddbmm"):
        factor = args[1 if "add" in name else 0]
        return written * int(factor.shape[-1])
    return written
