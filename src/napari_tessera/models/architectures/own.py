"""Networks of this package, from their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from napari_tessera.models.architectures.errors import ArchitectureError
from napari_tessera.models.networks import BiasFreeResidualCNN

_BRANCH_BLOCK = re.compile(r"(enter|deep)\.(\d+)\.first\.weight")
_BLOCK = re.compile(r"body\.(\d+)\.first\.weight")
MOST_BLOCKS = 1000


def own_settings(state: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """Find out what a `BiasFreeResidualCNN` is made of.

    Parameters
    ----------
    state : mapping of str to Tensor
        By the names that the network itself gives them.

    Returns
    -------
    (features, blocks) or None
        None where the weights are not those of such a network.

    Raises
    ------
    ArchitectureError
        If they are, but of sizes that no such network has.
    """
    head, tail = state.get("head.weight"), state.get("tail.weight")
    blocks = sum(_BLOCK.fullmatch(key) is not None for key in state)
    if head is None or tail is None or not blocks:
        return None
    phases = BiasFreeResidualCNN.PERIOD**2
    if head.ndim != 4 or head.shape[1] != phases or head.shape[0] < 1 or blocks > MOST_BLOCKS:
        raise ArchitectureError(f"its weight head.weight has shape {tuple(head.shape)}")
    return int(head.shape[0]), blocks


def own_unet_settings(state: Mapping[str, Tensor]) -> dict[str, int] | None:
    """Find out what a `BiasFreeUNet` is made of.

    Parameters
    ----------
    state : mapping of str to Tensor
        By the names that the network itself gives them.

    Returns
    -------
    dict or None
        Its keywords. None where the weights are not those of such a network.

    Raises
    ------
    ArchitectureError
        If they are, but of sizes that no such network has.
    """
    head, up = state.get("head.weight"), state.get("up.weight")
    matches = [_BRANCH_BLOCK.fullmatch(key) for key in state]
    found = [match for match in matches if match is not None]
    if head is None or up is None or not found:
        return None
    for name, weight in (("head.weight", head), ("up.weight", up)):
        if weight.ndim not in (4, 5) or weight.shape[0] < 1 or weight.shape[1] < 1:
            raise ArchitectureError(f"its weight {name} has shape {tuple(weight.shape)}")
    if len(found) > MOST_BLOCKS:
        raise ArchitectureError(f"it has {len(found)} blocks; more than {MOST_BLOCKS} are refused")
    # the first deep blocks see planes, the others do not
    of_planes = [
        match.group() for match in found if match[1] == "deep" and state[match.group()].ndim == 5
    ]
    return {
        "dims": head.ndim - 2,
        "features": int(head.shape[0]),
        "deep_features": int(up.shape[1]),
        "blocks": sum(match[1] == "enter" for match in found),
        "deep_blocks": sum(match[1] == "deep" for match in found),
        "plane_blocks": sum(state[key].shape[2] > 1 for key in of_planes),
    }
