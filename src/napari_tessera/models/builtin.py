"""The models that come with the package, loaded from safetensors files beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor, nn

from napari_tessera.models.builtin_names import BUILTIN_NAMES, BUILTIN_TITLES, PREFIX
from napari_tessera.models.networks import BiasFreeResidualCNN
from napari_tessera.models.networks_unet import BiasFreeUNet

__all__ = ["BUILTIN_NAMES", "PREFIX", "load_builtin", "read_builtin"]

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
        On CPU, float32, in evaluation mode; takes and gives (N, 1, Y, X) or (N, 1, Z, Y, X) with
        the mean of the image subtracted. Its grey range does not matter.
    info : dict
        What `read_builtin` tells, with ``name`` and ``title``.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    wanted = name.removeprefix(PREFIX)
    if wanted not in BUILTIN_NAMES:
        known = ", ".join(PREFIX + known for known in BUILTIN_NAMES)
        raise ValueError(f"no built-in model {name!r}; there is {known}")
    network, info = read_builtin(_WEIGHTS / f"{wanted}.safetensors")
    return network, {**info, "name": wanted, "title": BUILTIN_TITLES[wanted]}


def read_builtin(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Load weights as ``scripts/train_builtin.py`` writes them.

    Returns
    -------
    network : nn.Module
        As `load_builtin` gives it.
    info : dict
        ``file`` (Path), ``axes`` (``"YX"`` or ``"ZYX"``), ``channels`` (1), ``architecture`` and
        what it is made of, ``reach`` and ``period`` (tuples of px along `axes`), ``normalization``,
        ``noise``, ``training``, ``seed``, ``licence``.
    """
    with safe_open(path, framework="pt") as file:
        written = file.metadata()
        # Stored as float16 for size; every value is exact in float32.
        state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    network, made_of, reach, period = _built(written, state)
    network.eval()
    network.requires_grad_(False)
    info: dict[str, Any] = {
        "noise": "",
        **written,
        **made_of,
        "file": path,
        "axes": "YX" if len(reach) == 2 else "ZYX",
        "channels": 1,
        "reach": reach,
        "period": period,
        "seed": int(written["seed"]),
    }
    return network, info


def _built(
    written: Mapping[str, str], state: Mapping[str, Tensor]
) -> tuple[nn.Module, dict[str, int], tuple[int, ...], tuple[int, ...]]:
    """The network that the weights are of, what it is made of, its reach and its period."""
    if written["architecture"] == BiasFreeResidualCNN.__name__:
        made_of = {key: int(written[key]) for key in ("features", "blocks")}
        plain = BiasFreeResidualCNN(**made_of).float()
        plain.load_state_dict(state)
        return plain, made_of, (plain.reach,) * 2, (plain.PERIOD,) * 2
    keys = ("dims", "features", "deep_features", "blocks", "deep_blocks", "plane_blocks")
    made_of = {key: int(written[key]) for key in keys if key in written}
    network = BiasFreeUNet(**made_of).float()
    network.load_state_dict(state)
    # Rounding to float16 leaves a trace of the grey level.
    network.blind_to_level()
    return network, made_of, network.reach, network.period
