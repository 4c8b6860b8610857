"""2D: real pairs and scikit-image's images, against BM3D, NLM, TV, DnCNN and the best blur."""

from __future__ import annotations

from pathlib import Path

from benchmarks.quality_parts import classical
from benchmarks.quality_parts.cases import Case, packaged, pairs
from benchmarks.quality_parts.denoising import Method, of_package
from benchmarks.quality_parts.judging import BLUR, BM3D
from benchmarks.quality_parts.networks import Network, dncnn

DNCNN = Path("models/dncnn_25/dncnn_25.pth")
TIMED = "camera, σ 25"
"""The case whose seconds are taken."""


def cases(shared: Path | None, *, quick: bool) -> list[Case]:
    """Pairs first; without a folder of them, scikit-image's images alone."""
    folder = shared / "data" / "pairs" if shared else None
    real = list(pairs(folder)) if folder and folder.is_dir() else []
    return real + list(packaged(quick=quick))


def methods(shared: Path | None, models: list[Network]) -> dict[str, Method]:
    """What is compared, the models last."""
    found = {
        BLUR: of_package("scipy", classical.best_blur, _blurred),
        "TV": of_package("scikit-image", classical.tv, _tv),
        "NLM": of_package("scikit-image", classical.nlm, _nlm),
        BM3D: of_package("bm3d", classical.bm3d, classical.bm3d),
    }
    if shared and (shared / DNCNN).exists():
        network = dncnn(shared / DNCNN)
        found[network.name] = Method(network, network.version)
    return found | {
        network.name: Method(network, network.version, is_kept=False) for network in models
    }


def _blurred(case: Case, threads: int) -> object:
    return classical.gaussian_filter(case.noisy, 1.0)


def _tv(case: Case, threads: int) -> object:
    return list(classical.with_noise_known(classical.tv_of(1.0), case))


def _nlm(case: Case, threads: int) -> object:
    return list(classical.with_noise_known(classical.nlm_of(7, 11, 0.8), case))
