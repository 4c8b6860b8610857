"""Finding a first input that an unknown network takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from torch import Tensor

from napari_tessera.models.calling import (
    Network,
    call_network,
    check_size,
    random_batch,
    sizes_text,
)
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.frame import Frame, explain_sizes
from napari_tessera.models.sizes import ValidSizes

TRIAL_SIZES = {
    2: (
        *((32, 64), (64, 64), (48, 96), (80, 160), (72, 144), (128, 128), (96, 96), (256, 256)),
        *((240, 240), (224, 224), (512, 512)),
    ),
    3: ((16, 16, 64), (24, 24, 96), (32, 32, 64), (64, 64, 64), (48, 48, 96), (32, 128, 128)),
}
"""Sizes on which an unknown network is tried, in this order, by number of spatial axes.

Deep networks refuse small tiles, and most refuse sizes that are no multiple of their strides:
powers of two nearly always, now and then 3, 5, 7 or 9 times one. Some take one size only.
"""

_HANDY = {2: 2**14, 3: 2**17}
"""Pixels up to which the sizes that a file promises are tried before others, by spatial axes."""

_AGREEING = 3
"""Sizes after whose answers no more are tried, if one rule explains all of these."""

_LONGEST_STRIDE = 32
"""Pixels by which an input is made larger, at most, to find one of which less is lost."""

_MOST_NUMBERS = 2**29
"""Numbers of an input that is tried, 2 GiB: a file may name any size as the only one."""


@dataclass(frozen=True)
class Trial:
    """An input that a network took.

    Parameters
    ----------
    given, answer : Tensor
        The input, drawn from a fixed seed, and what came back.
    frame : Frame
        How the size of an answer follows from that of the input.
    """

    given: Tensor
    answer: Tensor
    frame: Frame


def try_network(
    network: Network,
    name: str,
    spatial_dims: int,
    channels: int,
    samples: int = 1,
    *,
    sizes: ValidSizes | None = None,
    are_strict: bool = False,
) -> Trial:
    """Run a network on the first size that it takes, of those that are likely.

    Parameters
    ----------
    network : callable
        On the CPU, float32.
    name : str
        What errors call the model.
    spatial_dims, channels, samples : int
        Shape of the input.
    sizes : ValidSizes, optional
        What the file promises to work.
    are_strict : bool
        Whether nothing else can work.

    Raises
    ------
    ModelError
        If it takes none of the sizes, if what it returns is no image, or if the size of that
        follows no rule.
    """
    failure: Exception | None = None
    others: list[tuple[Tensor, Tensor]] = []
    shape: tuple[int, ...] = ()
    for size in _likely_sizes(spatial_dims, sizes, are_strict):
        shape = (samples, channels, *size)
        if prod(shape) > _MOST_NUMBERS:
            failure = failure or ValueError(f"it has more than {_MOST_NUMBERS:,} numbers")
            continue
        given = random_batch(shape)
        try:
            answer = call_network(network, given, name)
        except ModelError:
            raise
        except Exception as error:
            # Any exception: the network is the user's code. The first one tells most; later ones
            # may only say that memory ran out.
            failure = failure or error
            continue
        if answer.shape[2:] == given.shape[2:]:
            return Trial(given, answer, Frame.same(spatial_dims))
        # perhaps only because this size is no multiple of the network's strides
        others.append((given, answer))
        if len(others) == _AGREEING and _all_explained(others):
            break
    if others:
        return _of_other_size(network, others, name)
    assert failure is not None
    raise ModelError.not_usable(
        name,
        f"it fails on inputs up to {sizes_text(shape)} ({message_line(failure)})",
        "Say what it takes with spatial_dims=2 or 3 and in_channels",
    ) from failure


def _of_other_size(network: Network, others: list[tuple[Tensor, Tensor]], name: str) -> Trial:
    explained = _explained(others)
    if explained is None:
        given, answer = others[0]
        check_size(answer.shape[2:], given.shape[2:], None, name)
    assert explained is not None
    frame, given, answer = explained
    if any(lost > 0 for lost in frame.lost) and set(frame.scale) == {1}:
        return _of_least_loss(network, Trial(given, answer, frame), name)
    return Trial(given, answer, frame)


def _explained(others: list[tuple[Tensor, Tensor]]) -> tuple[Frame, Tensor, Tensor] | None:
    """The rule that inputs and answers follow, and the first pair of them that does."""
    frame = explain_sizes([(given.shape[2:], answer.shape[2:]) for given, answer in others])
    for given, answer in others:
        if frame is not None and frame.output_size(given.shape[2:]) == tuple(answer.shape[2:]):
            return frame, given, answer
    return None


def _all_explained(others: list[tuple[Tensor, Tensor]]) -> bool:
    explained = _explained(others)
    return explained is not None and all(
        explained[0].output_size(given.shape[2:]) == tuple(answer.shape[2:])
        for given, answer in others
    )


def _of_least_loss(network: Network, trial: Trial, name: str) -> Trial:
    """The same network on a size of which it loses least, of those a little larger.

    Without padding, a U-Net loses the same number of pixels on sizes that halve evenly at each of
    its levels, and some more on others.
    """
    for axis in range(len(trial.frame.lost)):
        size = list(trial.given.shape)
        for more in range(1, _LONGEST_STRIDE + 1):
            size[axis + 2] = trial.given.shape[axis + 2] + more
            given = random_batch(size)
            try:
                answer = call_network(network, given, name)
            except Exception:
                # it takes some other sizes
                continue
            loss = [n - kept for n, kept in zip(given.shape[2:], answer.shape[2:], strict=True)]
            if loss[axis] < trial.frame.lost[axis]:
                trial = Trial(given, answer, Frame(trial.frame.scale, tuple(loss)))
                break
    return trial


def _likely_sizes(
    spatial_dims: int, sizes: ValidSizes | None, are_strict: bool
) -> Iterator[tuple[int, ...]]:
    plain = TRIAL_SIZES[spatial_dims]
    promised: list[tuple[int, ...]] = []
    if sizes is not None:
        rounded = [sizes.rounded_up(size) for size in (*plain, sizes.minimum)]
        promised = sorted({size for size in rounded if size}, key=prod)
    if are_strict and promised:
        yield from promised
        return
    handy = [size for size in promised if prod(size) <= _HANDY[spatial_dims]]
    yield from dict.fromkeys([*handy, *plain, *promised])
