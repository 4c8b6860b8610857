"""Networks of this package, from their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from napari_tessera.models.architectures.errors import ArchitectureError
from napari_tessera.models.networks import BiasFreeResidualCNN

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
