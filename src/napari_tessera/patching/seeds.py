"""Random generators from whatever people give as a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching.checks import shown

Seed: TypeAlias = (
    int
    | Sequence[int]
    | NDArray[np.integer]
    | np.random.SeedSequence
    | np.random.BitGenerator
    | np.random.Generator
    | None
)
"""What ``numpy.random.default_rng`` takes. None means: from the operating system's entropy."""


def random_generator(seed: Seed) -> np.random.Generator:
    """Random generator for a seed.

    A ``Generator`` is used as it is and a ``BitGenerator`` is wrapped: drawing moves them on. A
    ``SeedSequence`` is read and left as it was. No global random state is touched.

    Parameters
    ----------
    seed : Seed
        None, a whole number ≥ 0, a sequence of them, or one of NumPy's own kinds.

    Raises
    ------
    ValueError
        If nothing can be seeded with it.
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(
            f"seed {shown(seed)} seeds no random generator: give None, a whole number of 0 or "
            f"more, a sequence of them, or a SeedSequence, BitGenerator or Generator of NumPy"
        ) from None
