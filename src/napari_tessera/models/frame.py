"""Where the pixels of a network's answer lie in its input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_tessera.models.calling import Network, call_network, check_size

_MOST_SCALE = 16
"""Largest whole number by which sizes are multiplied or divided."""

_MOST_TERM = 4
"""Largest numerator and denominator of another scale."""


@dataclass(frozen=True)
class Frame:
    """How the size of an answer follows from the size of the input: ``scale · (size − lost)``.

    Parameters
    ----------
    scale : tuple of Fraction
        Output pixels for one input pixel, along (Z)YX.
    lost : tuple of int
        Input pixels for which nothing comes out, both ends together; below 0 where more comes out.
    """

    scale: tuple[Fraction, ...]
    lost: tuple[int, ...]

    @classmethod
    def same(cls, spatial_dims: int) -> Frame:
        """That of a network whose answers are as large as its inputs."""
        return cls((Fraction(1),) * spatial_dims, (0,) * spatial_dims)

    def output_size(self, size: Sequence[int]) -> tuple[int, ...] | None:
        """Size of the answer to an input of a size; None where there can be none."""
        found = [s * (n - lost) for n, s, lost in zip(size, self.scale, self.lost, strict=True)]
        if any(value.denominator != 1 or value < 1 for value in found):
            return None
        return tuple(int(value) for value in found)


def explain_sizes(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Frame | None:
    """Find the rule that most of some pairs of input and output sizes follow.

    Parameters
    ----------
    pairs : sequence of (sequence of int, sequence of int)
        Sizes along (Z)YX of inputs and of the answers to them.

    Returns
    -------
    Frame or None
        None where no two pairs of different sizes follow the same rule. A single pair is taken for
        a scale where one size is a multiple of the other, else for a loss.
    """
    axes = [_explain_axis(set(axis)) for axis in _by_axis(pairs)]
    rules = [rule for rule in axes if rule is not None]
    if len(rules) < len(axes):
        return None
    return Frame(tuple(scale for scale, _ in rules), tuple(lost for _, lost in rules))


def _by_axis(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
) -> list[list[tuple[int, int]]]:
    each = [list(zip(given, answer, strict=True)) for given, answer in pairs]
    return [list(axis) for axis in zip(*each, strict=True)]


def _explain_axis(pairs: set[tuple[int, int]]) -> tuple[Fraction, int] | None:
    if len(pairs) == 1:
        ((given, answer),) = pairs
        ratio = Fraction(answer, given)
        return (ratio, 0) if _is_plain(ratio) else (Fraction(1), given - answer)
    votes: Counter[tuple[Fraction, int]] = Counter()
    for one, other in combinations(sorted(pairs), 2):
        if one[0] == other[0]:
            continue
        scale = Fraction(other[1] - one[1], other[0] - one[0])
        if scale > 0 and _is_plain(scale):
            lost = one[0] - one[1] / scale
            if lost.denominator == 1:
                votes[scale, int(lost)] += 1
    if not votes:
        return None
    # of equally frequent rules, the one that loses least
    return max(votes, key=lambda rule: (votes[rule], -abs(rule[1]), rule[0]))


def _is_plain(scale: Fraction) -> bool:
    most = max(scale.numerator, scale.denominator)
    is_whole = 1 in (scale.numerator, scale.denominator)
    return most <= (_MOST_SCALE if is_whole else _MOST_TERM)


@dataclass(frozen=True)
class InInputFrame:
    """A network whose answers are brought to the size of its inputs, to be probed.

    An answer of another scale is averaged or repeated, what is lost at the ends is filled with
    zeros. So what depends on an input pixel stands where that pixel stands.

    Parameters
    ----------
    network : callable
        The network itself.
    name : str
        What errors call the model.
    frame : Frame
        The rule its sizes follow.
    near : tuple of int
        How much of what is lost is lost at the near end, along (Z)YX.
    """

    network: Network
    name: str
    frame: Frame
    near: tuple[int, ...]

    def __call__(self, batch: Tensor) -> Tensor:
        """Run the network."""
        answer = call_network(self.network, batch, self.name)
        size = batch.shape[2:]
        check_size(answer.shape[2:], size, self.frame.output_size(size), self.name)
        for axis, scale in enumerate(self.frame.scale, start=2):
            if scale.denominator > 1:
                answer = answer.repeat_interleave(scale.denominator, dim=axis)
            if scale.numerator > 1:
                answer = torch.unflatten(answer, axis, (-1, scale.numerator)).mean(dim=axis + 1)
        ends: list[int] = []
        for near, lost in zip(self.near, self.frame.lost, strict=True):
            ends = [near, lost - near, *ends]
        return F.pad(answer, ends) if any(ends) else answer


def find_near_loss(network: Network, name: str, frame: Frame, given: Tensor) -> tuple[int, ...]:
    """Find how much of what a network loses it loses at the near end of each axis.

    Parameters
    ----------
    network : callable
        On the CPU, float32.
    name : str
        What errors call the model.
    frame : Frame
        The rule its sizes follow.
    given : Tensor
        An input that it takes.

    Returns
    -------
    tuple of int
        Half of the loss, as in nearly all networks; all of it or nothing where a NaN in the input
        comes out nearer to there.
    """
    near = tuple(lost // 2 for lost in frame.lost)
    if not any(frame.lost):
        return near
    aligned = InInputFrame(network, name, frame, near)
    found = []
    for axis, (lost, half) in enumerate(zip(frame.lost, near, strict=True)):
        shift = _mean_shift(aligned, given, axis) if lost else None
        likely = {0, lost // 2, lost - lost // 2, lost}
        at = half if shift is None else half - shift
        found.append(min(likely, key=lambda n: (abs(n - at), abs(2 * n - lost), n)))
    return tuple(found)


def _mean_shift(network: InInputFrame, given: Tensor, axis: int) -> float | None:
    """How far behind NaN pixels their answers lie, on the average of 16 neighbouring ones."""
    length = given.shape[axis + 2]
    centres = []
    for position in range(length // 2 - 8, length // 2 + 8):
        batch = torch.zeros_like(given)
        index: list[slice | int] = [slice(None)] * 2
        index += [n // 2 for n in given.shape[2:]]
        index[axis + 2] = position
        batch[tuple(index)] = torch.nan
        try:
            dependent = network(batch).isnan()
        except Exception:
            # it took the same batch without NaN
            return None
        others = [dim for dim in range(dependent.ndim) if dim != axis + 2]
        at = dependent.to(torch.uint8).amax(dim=others).nonzero().flatten()
        kept = slice(network.near[axis], length - (network.frame.lost[axis] - network.near[axis]))
        if not at.numel() or (at[0] <= kept.start and at[-1] >= kept.stop - 1):
            return None
        centres.append((int(at[0]) + int(at[-1])) / 2 - position)
    return sum(centres) / len(centres)
