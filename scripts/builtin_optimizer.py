"""The optimizer that trains the built-in denoisers: orthogonalized momentum, in few steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalized(matrix: Tensor, rounds: int = 5) -> Tensor:
    """Return roughly the nearest matrix whose singular values are all alike.

    Newton-Schulz iteration with the quintic of Jordan et al., "Muon: an optimizer for hidden layers
    in neural networks" (2024), in bfloat16: singular values end between about 0.7 and 1.2.
    """
    a, b, c = _NEWTON_SCHULZ
    wide = matrix.bfloat16() if matrix.shape[0] <= matrix.shape[1] else matrix.bfloat16().T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(rounds):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return (wide if matrix.shape[0] <= matrix.shape[1] else wide.T).float()


class Muon:
    """Orthogonalized momentum for the hidden layers, AdamW for the first and the last.

    A step changes each hidden layer in all directions alike. With as many steps less of the noise
    is left than with AdamW alone: 0.309 against 0.334 after 800, which AdamW needs 2,500 for; a
    step takes 12 % longer. Steps are scaled to the size that AdamW's have (Liu et al., "Muon is
    scalable for LLM training", 2025).

    Parameters
    ----------
    network : nn.Module
        Whose first and last layer are called ``head`` and ``tail``.
    gain : float
        Rate of the hidden layers over that of the others.
    """

    MOMENTUM = 0.95
    DECAY = 1e-4

    def __init__(self, network: nn.Module, gain: float = 2.0) -> None:
        self._gain = gain
        named = dict(network.named_parameters())
        outer = [named[name] for name in named if name.startswith(("head", "tail"))]
        self._hidden = [named[name] for name in named if not name.startswith(("head", "tail"))]
        self._momenta = [torch.zeros_like(weight) for weight in self._hidden]
        self._outer = torch.optim.AdamW(outer, betas=(0.9, 0.99), weight_decay=self.DECAY)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        self._outer.zero_grad()
        for weight in self._hidden:
            weight.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change the weights by their gradients."""
        for group in self._outer.param_groups:
            group["lr"] = rate
        self._outer.step()
        for weight, momentum in zip(self._hidden, self._momenta, strict=True):
            if weight.grad is None:
                continue
            momentum.lerp_(weight.grad, 1 - self.MOMENTUM)
            ahead = weight.grad.lerp(momentum, self.MOMENTUM).reshape(len(weight), -1)
            change = orthogonalized(ahead) * 0.2 * max(ahead.shape) ** 0.5
            weight.mul_(1 - self._gain * rate * self.DECAY)
            weight.sub_(self._gain * rate * change.reshape(weight.shape))

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"momenta": self._momenta, "outer": self._outer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        for momentum, saved in zip(self._momenta, state["momenta"], strict=True):
            momentum.copy_(saved)
        self._outer.load_state_dict(state["outer"])
