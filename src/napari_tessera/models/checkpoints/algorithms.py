"""The algorithms of CAREamics: what to cite, and why some are not run here."""

from __future__ import annotations

from collections.abc import Mapping

from napari_tessera.models.about import Citation

_N2V = Citation(
    "Krull, Buchholz, Jug: Noise2Void, learning denoising from single noisy images, CVPR 2019",
    "https://doi.org/10.1109/CVPR.2019.00223",
)
_N2V2 = Citation(
    "Höck, Buchholz, Brachmann, Jug, Freytag: N2V2, fixing Noise2Void checkerboard artifacts with "
    "modified sampling strategies and a tweaked network architecture, ECCV Workshops 2022",
    "https://doi.org/10.1007/978-3-031-25069-9_33",
)
_STRUCT_N2V = Citation(
    "Broaddus, Krull, Weigert, Schmidt, Myers: Removing structured noise with self-supervised "
    "blind-spot networks, ISBI 2020",
    "https://doi.org/10.1109/ISBI45749.2020.9098336",
)
_N2N = Citation(
    "Lehtinen et al.: Noise2Noise, learning image restoration without clean data, ICML 2018",
    "https://arxiv.org/abs/1803.04189",
)
_CARE = Citation(
    "Weigert et al.: Content-aware image restoration, pushing the limits of fluorescence "
    "microscopy, Nature Methods 15, 2018",
    "https://doi.org/10.1038/s41592-018-0216-7",
)

_SPLITTING = "splits an image into several and draws samples from a ladder VAE"
_WHY_NOT = {
    "musplit": _SPLITTING,
    "denoisplit": _SPLITTING,
    "microsplit": _SPLITTING,
    "hdn": "draws samples from a ladder VAE",
    "pn2v": "predicts samples for each pixel, which a noise model weighs",
}


def citations(name: str, n2v2: bool, settings: Mapping[str, object]) -> tuple[Citation, ...]:
    """Whom to cite for an algorithm.

    Parameters
    ----------
    name : {"n2v", "n2n", "care"}
        CAREamics' name of it.
    n2v2 : bool
        Whether the network is that of N2V2.
    settings : mapping
        The algorithm's; they tell whether masks against structured noise were used.
    """
    if name == "n2n":
        return (_N2N,)
    if name == "care":
        return (_CARE,)
    found = (_N2V, _N2V2) if n2v2 else (_N2V,)
    return (*found, _STRUCT_N2V) if _is_structured(settings.get("n2v_config")) else found


def describe(name: str, architecture: str) -> str:
    """Say in half a sentence why an algorithm is not run here."""
    if name in _WHY_NOT:
        return f"it is a {name} model, which {_WHY_NOT[name]}; only N2V, N2V2, N2N and CARE are run"
    if architecture != "UNet":
        return f"its architecture {architecture!r} is none that is known here, only UNet is"
    return f"its algorithm {name!r} is none of n2v, n2n and care"


def _is_structured(settings: object) -> bool:
    if not isinstance(settings, Mapping):
        return False
    # the old layout names an axis, the new one has a mask
    axis = settings.get("struct_mask_axis", "none")
    return settings.get("struct_mask") is not None or axis not in (None, "none")
