"""Running a torch.export program on tiles."""

from __future__ import annotations

import copy
import warnings
from typing import cast

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from napari_tessera.models.exported.checked import check_calls
from napari_tessera.models.whole_numbers import as_type

_AUTOCAST = "wrap_with_autocast"


class ExportedNetwork(nn.Module):
    """A torch.export program, called with a float32 tensor NC(Z)YX.

    Parameters
    ----------
    program : ExportedProgram
        One tensor in, one tensor out.
    dtype : torch.dtype
        What it takes.
    most_samples : int or None
        Largest number of samples at once: larger batches are split.

    Raises
    ------
    RefusedProgramError
        If an operation's arguments do not fit.
    """

    def __init__(
        self, program: ExportedProgram, dtype: torch.dtype, most_samples: int | None
    ) -> None:
        super().__init__()
        self._program = program
        self._dtype = dtype
        self._most_samples = most_samples
        self.program = program.module()
        check_calls(self.program)

    def forward(self, image: Tensor) -> Tensor:
        """Run it on a batch; the answer is float32."""
        given = as_type(image, self._dtype)
        if self._most_samples is None or len(given) <= self._most_samples:
            return cast(Tensor, self.program(given)).float()
        parts = torch.split(given, self._most_samples)
        return torch.cat([cast(Tensor, self.program(part)).float() for part in parts])

    def placed_on(self, device: torch.device) -> ExportedNetwork:
        """Return the same program for another device, its constants and new tensors included."""
        from torch.export.passes import move_to_device_pass

        with warnings.catch_warnings():
            # copying a program makes PyTorch warn of its own code
            warnings.simplefilter("ignore")
            program = move_to_device_pass(copy.deepcopy(self._program), str(device))
        for module in program.graph_module.modules():
            if isinstance(module, torch.fx.GraphModule):
                _cast_on(module, device)
        return ExportedNetwork(program, self._dtype, self._most_samples).eval()

    def train(self, mode: bool = True) -> ExportedNetwork:
        """Stay as it is: a program was exported in one mode and has no other."""
        self.training = False
        return self


def _cast_on(module: torch.fx.GraphModule, device: torch.device) -> None:
    """Name the device to those parts of a program that run in reduced precision on theirs."""
    for node in module.graph.nodes:
        if _AUTOCAST in str(node.target) and node.args and isinstance(node.args[0], str):
            node.args = (device.type, *node.args[1:])
    module.recompile()
