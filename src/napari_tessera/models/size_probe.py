"""Measuring which input sizes a network takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm, prod

import torch

from napari_tessera.models.calling import Network, call_network, random_batch
from napari_tessera.models.frame import Frame
from napari_tessera.models.sizes import ValidSizes

STEPS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128)
"""Distances of neighbouring sizes that are looked for, in pixels."""

_MOST_PIXELS = {2: 2**19, 3: 2**21}
"""Pixels of the largest input on which a step is tried, by number of spatial axes."""


@dataclass(frozen=True)
class SizeProbe:
    """Tries a network on inputs of different sizes.

    Parameters
    ----------
    network : callable
        On the CPU, float32.
    name : str
        What errors call the model.
    channels : int
        Input channels.
    frame : Frame
        How the size of an answer follows from that of the input.
    is_finite : bool
        Whether it answers in finite numbers, where it works.
    """

    network: Network
    name: str
    channels: int
    frame: Frame
    is_finite: bool = True

    def works(self, size: Sequence[int]) -> bool:
        """Whether the network takes a size, and answers as it does where it works."""
        expected = self.frame.output_size(size)
        if expected is None:
            return False
        batch = random_batch((1, self.channels, *size))
        try:
            with torch.no_grad():
                answer = call_network(self.network, batch, self.name)
        except Exception:
            # whatever it raises: it does not take this size
            return False
        is_sound = not self.is_finite or bool(torch.isfinite(answer).all())
        return tuple(answer.shape[2:]) == expected and is_sound


def measure_sizes(
    probe: SizeProbe, size: Sequence[int], declared: ValidSizes | None, are_strict: bool
) -> ValidSizes:
    """Find out which sizes a network takes, by trying a few.

    What a file declares is believed only where the network is known to refuse all else: many files
    name the sizes of training.

    Parameters
    ----------
    probe : SizeProbe
        The network.
    size : sequence of int
        A size that works, along (Z)YX.
    declared : ValidSizes, optional
        What the file promises to work.
    are_strict : bool
        Whether nothing else can work.

    Returns
    -------
    ValidSizes
        Smallest size and step that work. A step of 0 where no other size was found to work.
    """
    if declared is not None and are_strict:
        return declared
    dims = len(size)
    square = (min(size),) * dims
    base = tuple(size) if len(set(size)) == 1 or not probe.works(square) else square
    steps: list[int] = []
    for axis in reversed(range(dims)):
        hints = [*steps[:1], *([declared.step[axis]] if declared else [])]
        steps.insert(0, _step(probe, base, axis, hints))
    least = _minimum(probe, base, steps)
    most = tuple(None if step else n for step, n in zip(steps, base, strict=True))
    return ValidSizes(least, tuple(steps), most)


def _step(probe: SizeProbe, base: Sequence[int], axis: int, hints: Sequence[int]) -> int:
    """Smallest distance of valid sizes along an axis; 0 where there seems to be but one."""

    def works(step: int) -> bool:
        sizes = [_along(base, axis, base[axis] + step * n) for n in (1, 2)]
        return all(probe.works(size) for size in sizes)

    for step in sorted({*STEPS, base[axis], *(hint for hint in hints if hint)}):
        if prod(_along(base, axis, base[axis] + 2 * step)) > _MOST_PIXELS[len(base)]:
            break
        if works(step):
            return step
    return 0


def _minimum(probe: SizeProbe, base: Sequence[int], steps: Sequence[int]) -> tuple[int, ...]:
    """Smallest size that works along all axes at once, in whole steps below ``base``."""
    least = list(base)
    for axis, step in enumerate(steps):
        if step:
            most = _last_working(
                (base[axis] - 1) // step,
                lambda below, axis=axis, step=step: probe.works(  # type: ignore[misc]
                    _along(base, axis, base[axis] - step * below)
                ),
            )
            least[axis] = base[axis] - step * most
    # a single pixel along one axis may do, and not along all of them
    while least != list(base) and not probe.works(least):
        least = [
            min(n + max(n // step, 1) * step, limit) if step else n
            for n, step, limit in zip(least, steps, base, strict=True)
        ]
    return tuple(least)


def _last_working(most: int, works: Callable[[int], bool]) -> int:
    """Largest number up to ``most`` that works, where all smaller ones do; 0 works."""
    low, high = 0, most
    if most and works(most):
        return most
    while high - low > 1:
        middle = (low + high) // 2
        if works(middle):
            low = middle
        else:
            high = middle
    return low


def coarsened(sizes: ValidSizes, period: Sequence[int]) -> ValidSizes:
    """Valid sizes whose distances are whole periods as well.

    Networks that resize inside take any size, but stretch the grid on which they work where it is
    no multiple of their period.

    Parameters
    ----------
    sizes : ValidSizes
        Sizes that the network takes.
    period : sequence of int
        Its period, in pixels along (Z)YX.
    """
    minimum, steps, maximum = [], [], []
    for least, step, most, k in zip(sizes.minimum, sizes.step, sizes.maximum, period, strict=True):
        coarse = lcm(step, k) if step else 0
        whole = range(least, least + coarse, step) if step else ()
        # multiples of the period, where there are any
        start = next((n for n in whole if n % k == 0), least)
        if coarse and most is not None:
            if start > most:
                start, coarse = least, step
            most = start + (most - start) // coarse * coarse
        minimum.append(start)
        steps.append(coarse)
        maximum.append(most)
    return ValidSizes(tuple(minimum), tuple(steps), tuple(maximum))


def _along(size: Sequence[int], axis: int, length: int) -> tuple[int, ...]:
    changed = list(size)
    changed[axis] = length
    return tuple(changed)
