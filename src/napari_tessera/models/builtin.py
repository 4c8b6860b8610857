"""The models that come with the package, loaded from safetensors files beside this module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import nn

from napari_tessera.models.networks import BiasFreeResidualCNN

BUILTIN_NAMES: tuple[str, ...] = ("denoise2d",)
PREFIX = "builtin:"

_WEIGHTS = Path(__file__).parent / "weights"


def load_builtin(name: str) -> tuple[nn.Module, dict[str, Any]]:
    """Load a model that comes with the package.

    Parameters
    ----------
    name : str
        One of `BUILTIN_NAMES`, with or without the prefix ``builtin:``.

    Returns
    -------
    network : nn.Module
        On CPU, float32, in evaluation mode; takes and gives (N, 1, Y, X) with the mean of the image
        subtracted. Its grey range does not matter.
    info : dict
        ``name``, ``file`` (Path), ``axes`` (``"YX"``), ``channels`` (1), ``architecture``,
        ``features``, ``blocks``, ``reach`` and ``period`` (px), ``normalization``, ``training``,
        ``seed``, ``licence``.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    wanted = name.removeprefix(PREFIX)
    if wanted not in BUILTIN_NAMES:
        known = ", ".join(PREFIX + known for known in BUILTIN_NAMES)
        raise ValueError(f"no built-in model {name!r}; there is {known}")
    path = _WEIGHTS / f"{wanted}.safetensors"
    with safe_open(path, framework="pt") as file:
        written = file.metadata()
        # Stored as float16 for size; every value is exact in float32.
        state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    features, blocks = int(written["features"]), int(written["blocks"])
    network = BiasFreeResidualCNN(features, blocks).float()
    network.load_state_dict(state)
    network.eval()
    network.requires_grad_(False)
    info: dict[str, Any] = {
        **written,
        "name": wanted,
        "file": path,
        "axes": "YX",
        "channels": 1,
        "features": features,
        "blocks": blocks,
        "reach": int(written["reach"]),
        "period": int(written["period"]),
        "seed": int(written["seed"]),
    }
    return network, info
