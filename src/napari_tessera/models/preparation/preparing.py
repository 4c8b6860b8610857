"""From a network as it was loaded to the fastest way of running it that computes the same."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, fx, nn

from napari_tessera.models.calling import Network
from napari_tessera.models.preparation.activations import work_in_place
from napari_tessera.models.preparation.comparing import LEVELS, Sample, agrees, extent_of
from napari_tessera.models.preparation.folding import fold_batch_norms
from napari_tessera.models.preparation.fused import can_fuse, fuse_convolutions
from napari_tessera.models.preparation.layout import lay_out
from napari_tessera.models.preparation.prepared import PreparedNetwork
from napari_tessera.models.preparation.scripts import frozen, holds_script, warm_up
from napari_tessera.models.preparation.tracing import traced
from napari_tessera.models.short_memory import is_out_of_memory

Casting = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Preparation:
    """A network as it is run, and what was done to it.

    Parameters
    ----------
    network : callable
        Takes and gives NC(Z)YX.
    words : str
        What was done, in one line; empty where nothing was.
    seconds : float
        What finding it took.
    """

    network: Network
    words: str = ""
    seconds: float = 0.0


UNPREPARED = "none: it runs as it was loaded"
"""Words for a network that nothing was done to."""

_LAST_DIGITS = 2.0**-20
"""A change of the input as large as what layers of rounding add up to."""

_FROZEN = "TorchScript frozen, channels-last"

Way = tuple[PreparedNetwork, str]
"""What a way made, and what it did in words; none where it did nothing."""


def prepare(
    network: Network,
    batch: Tensor,
    casting: Casting = nullcontext,
    *,
    is_float32: bool = True,
) -> Preparation:
    """Prepare a network: the strongest way that gives what the plain network gives.

    Ways are tried one after another, and each is compared with the plain float32 network on a
    tile before it is taken. The last of them is the network itself.

    Parameters
    ----------
    network : callable
        In evaluation mode, on its device, float32. It stays as it is; only modules are prepared.
    batch : Tensor
        Two or more tiles (one where it takes only one) of the size class that it is for, NC(Z)YX
        on its device.
    casting : callable
        Gives the context that the network is run in: PyTorch's autocast, or nothing.
    is_float32 : bool
        Whether that is float32; otherwise a way may be as far from float32 as the plain network.

    Returns
    -------
    Preparation
        Where nothing can be done, it is the network itself. Nothing is raised but a lack of
        memory, after which another try may do better.
    """
    started = time.perf_counter()
    plain = Preparation(network, "")
    if not isinstance(network, nn.Module):
        return plain
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples = _samples(network, batch, casting, is_float32=is_float32)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        # any exception: it is somebody's code, and a run tells what is wrong with it
        return plain
    if not samples:
        return plain
    for way in _ways(network, batch, is_float32=is_float32):
        try:
            with torch.no_grad(), casting(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made, words = way()
                is_same = bool(words) and all(agrees(made, sample) for sample in samples)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            # any exception: PyTorch's rewriting has its own ideas of what it takes
            continue
        if is_same:
            return Preparation(made, words, time.perf_counter() - started)
    return Preparation(network, "", time.perf_counter() - started)


def _samples(
    network: nn.Module, batch: Tensor, casting: Casting, *, is_float32: bool
) -> list[Sample]:
    """The tiles that ways are compared on; none where the network gives no tensor."""
    # PyTorch computes convolutions in TF32 on GPUs unless it is told otherwise for the whole
    # process: float32 itself is then known on the CPU alone
    is_rounded = is_float32 and batch.device.type == "cuda" and _has_tf32()
    exact = copy.deepcopy(network).cpu() if is_rounded else network
    samples: list[Sample] = []
    for gain, offset in ((1.0, 0.0), *LEVELS):
        given = batch * gain + offset
        with torch.autocast(batch.device.type, enabled=False):
            expected = exact(given.cpu() if is_rounded else given.clone())
        if not isinstance(expected, Tensor):
            return []
        extent = extent_of(expected)
        if samples:
            # offsets that all levels share are as far from zero as those of the first tiles
            size = float(expected.float().nan_to_num(0.0, 0.0, 0.0).abs().max())
            extent = max(extent, size, samples[0].extent)
        sample = Sample(given, expected, extent)
        if is_rounded or not is_float32:
            with casting():
                error = sample.share(network(given.clone()))
            if error == float("inf") and samples:
                # half precision has no such numbers
                continue
            sample = replace(sample, plain_error=error)
        elif samples:
            # what saturates (a tanh of large numbers) makes much of rounding, as the plain network
            # does of the last digits of its input
            error = sample.share(network(given * (1 + _LAST_DIGITS)))
            if error == float("inf"):
                continue
            sample = replace(sample, plain_error=10 * error)
        samples.append(sample)
    return samples


def _has_tf32() -> bool:
    try:
        return bool(torch.backends.cudnn.allow_tf32)
    except RuntimeError:
        # told by PyTorch's newer names, which may differ from one operation to another
        return True


def _ways(network: nn.Module, batch: Tensor, *, is_float32: bool) -> Iterator[Callable[[], Way]]:
    """The ways that there are for a network, the strongest first."""
    if holds_script(network):
        yield partial(_script, network, batch)
        return
    opened = traced(network)
    if opened is not None:
        if batch.device.type == "cpu" and is_float32 and can_fuse():
            yield partial(_rewritten, network, opened, fused=True)
        yield partial(_rewritten, network, opened)
        yield partial(_rewritten, network, opened, last=False)
    yield partial(_laid_out, network)


def _rewritten(
    network: nn.Module, opened: fx.GraphModule, *, fused: bool = False, last: bool = True
) -> Way:
    """Rewrite the graph: fold, fuse, work in place, lay out."""
    graph = copy.deepcopy(opened)
    folded = fold_batch_norms(graph)
    fusions = fuse_convolutions(graph) if fused else 0
    in_place = work_in_place(graph)
    laid_out = (lay_out(graph) or fusions) if last else 0
    if fused and not fusions:
        return PreparedNetwork(graph, network), ""
    done = {
        "batch norms folded": folded,
        "convolutions fused with their activations by oneDNN": fusions,
        "activations in place": in_place,
        "channels-last": laid_out,
    }
    made = PreparedNetwork(graph, network, channels_last=bool(laid_out))
    return made, ", ".join(words for words, count in done.items() if count)


def _laid_out(network: nn.Module) -> Way:
    changed = copy.deepcopy(network)
    words = "channels-last" if lay_out(changed) else ""
    return PreparedNetwork(changed, network, channels_last=True), words


def _script(network: nn.Module, batch: Tensor) -> Way:
    made = frozen(network)
    warm_up(made, batch)
    # what PyTorch makes of a program on a CPU loses NaN
    only_finite = batch.device.type == "cpu"
    return PreparedNetwork(made, network, only_finite=only_finite), _FROZEN
