"""What a device can do at best: the rate of a dense product of matrices."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_tessera.prediction.tuning.stopping import Listener
from napari_tessera.prediction.tuning.timing import (
    in_turn,
    middle,
    wait_for,
)

if TYPE_CHECKING:
    import torch

EDGES = {"cpu": 1536, "cuda": 8192, "mps": 4096}
"""Rows and columns of the matrices: so many that the product is no longer any faster with more."""

SMALLEST = 256


def matrix_rate(device: torch.device, seconds: float, listener: Listener) -> float:
    """Measure how many operations a second a dense float32 product of matrices does.

    A product of two n × n matrices is counted as 2 n³ operations: a multiplication and an addition
    each. The fastest of several is taken: it is a limit.

    Parameters
    ----------
    device : torch.device
        Where.
    seconds : float
        How long it may take, about.
    listener : Listener
        Is told, and may stop it.

    Returns
    -------
    float
        Operations a second.
    """
    import torch

    from napari_tessera.models.short_memory import give_back, is_out_of_memory

    edge = EDGES.get(device.type, EDGES["mps"])
    while True:
        try:
            left = torch.rand((edge, edge), device=device)
            right = torch.rand((edge, edge), device=device)
            out = torch.empty((edge, edge), device=device)

            def product(
                left: torch.Tensor = left, right: torch.Tensor = right, out: torch.Tensor = out
            ) -> None:
                torch.mm(left, right, out=out)
                wait_for(device)

            product()
            since = time.perf_counter()
            product()
            break
        except Exception as error:
            if edge <= SMALLEST or not is_out_of_memory(error):
                raise
            edge //= 2
    first = max(time.perf_counter() - since, 1e-6)
    words = "products of matrices"
    times = in_turn({words: product}, {words: first}, seconds, listener)[words]
    give_back(device)
    return 2.0 * edge**3 / middle([min(times)])
