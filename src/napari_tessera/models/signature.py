"""Finding out what a network takes: flat images or volumes, and how many channels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from napari_tessera.models.calling import Network
from napari_tessera.models.errors import ModelError
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.sizing import with_batches
from napari_tessera.models.trial import try_network

_USUAL_CHANNELS = (1, 3, 2, 4)


def find_signature(
    network: Network,
    name: str,
    spatial_dims: int | None,
    in_channels: int | None,
    *,
    sizes: ValidSizes | None = None,
    are_strict: bool = False,
    batch: int | None = None,
) -> tuple[int, int | None]:
    """Find the number of spatial axes and of input channels, by looking and by trying.

    The first convolutions say what a network probably takes; whether it does is tried.

    Parameters
    ----------
    network : callable
        On the CPU, float32.
    name : str
        What errors call the model.
    spatial_dims, in_channels : int or None
        Where they are known.
    sizes : ValidSizes, optional
        What the file promises to work; ``are_strict`` where nothing else can.
    batch : int, optional
        Number of samples that the network takes at once, where only one will do.

    Returns
    -------
    spatial_dims, in_channels : int, int or None
        None channels for a network that takes any number of them.

    Raises
    ------
    ModelError
        If nothing that was tried is taken, or if what comes back is no tile.
    """
    hints = list(_hints(network))
    full = with_batches(network, name, batch)
    if spatial_dims is None and sizes is not None:
        spatial_dims = len(sizes.minimum)
    dims = [spatial_dims] if spatial_dims else _unique([*(d for d, _ in hints), 2, 3])
    failure: ModelError | None = None
    for d in dims:
        likely = [c for at, c in hints if at == d]
        channels = [in_channels] if in_channels else _unique([*likely, *_USUAL_CHANNELS])
        for c in channels:
            try:
                with torch.no_grad():
                    try_network(full, name, d, c, sizes=sizes, are_strict=are_strict)
            except ModelError as error:
                if error.__cause__ is None:
                    # it ran, but what it returned is no tile
                    raise
                failure = failure or error
                continue
            if not hints and spatial_dims is None and d == 2 and _is_volumetric(full, name, c):
                break
            is_open = in_channels is None and not likely and c == 1 and sizes is None
            return d, None if is_open and _takes(full, name, d, 2) else c
    assert failure is not None
    raise failure


def _is_volumetric(network: Network, name: str, channels: int) -> bool:
    """Whether something that takes flat images takes them for one volume without a sample axis.

    PyTorch's 3D layers do. Several images then look like several channels, which they refuse.
    """
    many = 7
    return _takes(network, name, 3, channels) and not _takes(network, name, 2, channels, many)


def _takes(network: Network, name: str, spatial_dims: int, channels: int, samples: int = 1) -> bool:
    try:
        with torch.no_grad():
            try_network(network, name, spatial_dims, channels, samples)
    except ModelError:
        return False
    return True


def _hints(network: Network) -> Iterator[tuple[int, int]]:
    """Spatial axes and input channels of the convolutions in a network, first ones first."""
    if not isinstance(network, nn.Module):
        return
    if isinstance(network, torch.jit.ScriptModule):
        tensors = [*network.parameters(), *_constants(network)]
        # (out, in, kernel…): wrong for grouped and transposed ones, so it is only tried
        yield from ((t.ndim - 2, t.shape[1]) for t in tensors if t.ndim in (4, 5))
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            yield 2, module.in_channels
        elif isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            yield 3, module.in_channels


def _constants(module: torch.jit.ScriptModule) -> Iterator[Tensor]:
    """Tensors written into a frozen program, in the order of use."""
    for node in module.inlined_graph.nodes():
        is_constant = node.kind() == "prim::Constant" and node.hasAttribute("value")
        if is_constant and node.kindOf("value") == "t":
            yield node.t("value")


def _unique(values: list[int]) -> list[int]:
    return list(dict.fromkeys(values))
