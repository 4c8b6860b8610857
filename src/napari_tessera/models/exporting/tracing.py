"""A network as a TorchScript program, and proof that it computes the same at other sizes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.errors import ModelError

_AGREES = 1e-5
"""Largest difference of the program from the network, as a share of the output's range."""


def traced(
    network: nn.Module, images: tuple[Tensor, ...], extra: Mapping[str, str] | None = None
) -> bytes:
    """Record what a network computes, as ``torch.jit.save`` writes it.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on the CPU.
    images : tuple of Tensor
        NC(Z)YX. The first one is recorded; at all of them, which should be of different sizes and
        batches, program and network are compared.
    extra : mapping of str to str, optional
        Files to put into the archive, by name.

    Raises
    ------
    ModelError
        If the program computes something else.
    """
    with warnings.catch_warnings(), torch.no_grad():
        # PyTorch points to torch.export, which other software does not read yet; and widths and
        # depths become constants, as they should
        warnings.simplefilter("ignore")
        program = torch.jit.trace(network, images[0], check_trace=False)  # type: ignore[no-untyped-call]
        for image in images:
            expected, found = network(image), program(image)
            spread = float(expected.max() - expected.min())
            if float((found - expected).abs().max()) > _AGREES * spread:
                raise ModelError(
                    "the TorchScript program does not compute what the network does at "
                    f"{tuple(image.shape)}; export it as a CAREamics checkpoint"
                )
        buffer = io.BytesIO()
        torch.jit.save(program, buffer, _extra_files=dict(extra or {}))
    return buffer.getvalue()


def probes(settings: UNetSettings, mean: float = 0.0, spread: float = 1.0) -> tuple[Tensor, ...]:
    """Noise of a few sizes and batches that a network takes, always the same."""
    generator = torch.Generator().manual_seed(0)
    period = 2**settings.depth
    few = max(2, 16 // period)
    return tuple(
        torch.randn(
            batch,
            settings.in_channels,
            *(period * (few + more + axis) for axis in range(settings.spatial_dims)),
            generator=generator,
        )
        * spread
        + mean
        for batch, more in ((1, 0), (2, 1))
    )
