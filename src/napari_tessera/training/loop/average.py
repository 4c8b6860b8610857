"""The average of the weights over the last steps: less noisy than any of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from threading import Lock

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Exponential moving average of a network's weights. Thread-safe.

    The share of the old is ``min(share, (1 + n) / (10 + n))`` at step n, so that the first, bad
    weights are soon forgotten. Running means and variances of batch norms are averaged the same
    way: they belong to the weights they were measured with.

    Parameters
    ----------
    network : torch.nn.Module
        Begins with its weights.
    share : float
        Of the old, at each step, in the long run.
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        self._share = share
        self._lock = Lock()
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        """A network with the averages, for the thread that updates them."""
        self._live = network.state_dict()
        self._average = self.network.state_dict()
        self._floats = [name for name, one in self._live.items() if one.is_floating_point()]

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take the weights in, as they are after a number of steps."""
        share = min(self._share, (1 + steps) / (10 + steps))
        with self._lock:
            torch._foreach_lerp_(
                [self._average[name] for name in self._floats],
                [self._live[name] for name in self._floats],
                1.0 - share,
            )
            for name in self._average.keys() - set(self._floats):
                self._average[name].copy_(self._live[name])

    def state(self) -> dict[str, Tensor]:
        """A copy, on the CPU: there is more room than on a GPU that a network is trained on."""
        with self._lock:
            return {name: tensor.to("cpu", copy=True) for name, tensor in self._average.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        with self._lock:
            for name, tensor in self._average.items():
                tensor.copy_(state[name])
