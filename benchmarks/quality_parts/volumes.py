"""3D: generated volumes, against planes one by one, BM4D and the best blur."""

from __future__ import annotations

import numpy as np
from benchmarks.quality_parts import classical
from benchmarks.quality_parts.cases import STACKS, Case, noises, noisy_case
from benchmarks.quality_parts.denoising import Method, of_package
from benchmarks.quality_parts.judging import BLUR, BM4D, PLANES
from benchmarks.quality_parts.made_volumes import KINDS
from benchmarks.quality_parts.networks import Network, ours

TIMED = "cells, σ 25"
SEED = 90210
"""Of the structures; no seed of a training."""


def cases(*, quick: bool) -> list[Case]:
    """Each kind of volume with noise of each strength."""
    kinds = noises((25,), (30,)) if quick else noises()
    clean = {name: make(np.random.default_rng(SEED)) for name, make in KINDS.items()}
    return [
        noisy_case(STACKS, name, volume, noise, kind)
        for name, volume in clean.items()
        for kind, noise in kinds.items()
    ]


def methods(models: list[Network]) -> dict[str, Method]:
    """What is compared, the models last."""
    planes = ours("builtin:denoise2d")
    return {
        BLUR: of_package("scipy", classical.best_blur, _blurred),
        BM4D: of_package("bm4d", classical.bm4d, classical.bm4d),
        PLANES: Method(planes, planes.version, is_kept=False),
    } | {network.name: Method(network, network.version, is_kept=False) for network in models}


def _blurred(case: Case, threads: int) -> object:
    return classical.gaussian_filter(case.noisy, 1.0)
