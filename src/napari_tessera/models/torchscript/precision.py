"""TorchScript networks that were saved in half or double precision, made to take float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_tessera.models.torchscript.extent import nodes_of

_OTHERS = (torch.float16, torch.bfloat16, torch.float64)


class _Between(nn.Module):
    """A network whose precision is written into its code: its input and output are converted."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self._dtype = dtype

    def forward(self, batch: Tensor) -> Tensor:
        """Run it on a batch, float32."""
        answer = self.network(batch.to(self._dtype))
        return answer.float() if isinstance(answer, Tensor) else answer


def taking_float32(module: torch.jit.ScriptModule) -> nn.Module:
    """Give a network that takes float32, whatever precision it was saved in.

    Parameters
    ----------
    module : ScriptModule
        Its weights are converted in place.

    Returns
    -------
    nn.Module
        The module itself; or, where weights are constants of its code (a frozen network), one that
        converts what goes in and comes out.
    """
    if any(each.dtype in _OTHERS for each in (*module.parameters(), *module.buffers())):
        module.float()
    constants = [
        node.t("value").dtype
        for node in nodes_of(module.inlined_graph)
        if node.kind() == "prim::Constant"
        and node.hasAttribute("value")
        and node.kindOf("value") == "t"
        and node.t("value").ndim
    ]
    floating = [dtype for dtype in constants if dtype.is_floating_point]
    kinds = set(floating)
    if len(kinds) == 1 and (dtype := floating[0]) in _OTHERS and not [*module.parameters()]:
        return _Between(module, dtype).eval()
    return module
