"""Networks by the names that packages call them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_tessera.models.architectures.errors import ArchitectureError, shown
from napari_tessera.models.architectures.recognition import fill_unet
from napari_tessera.models.architectures.unet import UNet
from napari_tessera.models.architectures.unet_settings import UNetSettings

KNOWN = ("UNet",)


def build(name: str, keywords: Mapping[str, object], state: Mapping[str, Tensor]) -> UNet:
    """Build a network that a package names, with its weights.

    Parameters
    ----------
    name : str
        What the package calls the class, without the module: ``"UNet"`` is CAREamics'.
    keywords : mapping
        Its settings, as `UNetSettings.from_keywords` reads them.
    state : mapping of str to Tensor
        Its weights, by the names that the network itself gives them, or with a prefix ``model.``.

    Returns
    -------
    nn.Module
        On the CPU, float32, in evaluation mode; ``settings`` has ``spatial_dims``, ``in_channels``
        and ``depth``.

    Raises
    ------
    ArchitectureError
        If there is no such network, or if settings and weights do not go together.
    """
    if name not in KNOWN:
        raise ArchitectureError(f"its architecture {shown(name)} is none that is known here")
    plain = {key.removeprefix("model."): value for key, value in state.items()}
    return fill_unet(UNetSettings.from_keywords(keywords), plain)
