"""Telling whose weights they are, by their names and shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from napari_tessera.models.about import About, Citation
from napari_tessera.models.architectures.dncnn import DnCNN, DnCNNSettings, without_prefix
from napari_tessera.models.architectures.filling import filled
from napari_tessera.models.architectures.own import own_settings, own_unet_settings
from napari_tessera.models.architectures.unet import UNet
from napari_tessera.models.architectures.unet_settings import UNetSettings
from napari_tessera.models.networks import BiasFreeResidualCNN
from napari_tessera.models.networks_unet import BiasFreeUNet
from napari_tessera.models.processing import Processing, Rescale, Undo
from napari_tessera.models.sizes import ValidSizes

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Recognized:
    """A network whose weights were recognized.

    Parameters
    ----------
    network : nn.Module
        On the CPU, float32, in evaluation mode, with its weights.
    kind : str
        What it is: ``"DnCNN"``.
    spatial_dims, in_channels : int
        What it takes.
    sizes : ValidSizes
        Sizes that it takes; it fails on others.
    processing : Processing or None
        What it is known to want done to grey levels.
    about : About
        Whom to cite.
    warnings : tuple of str
        What weights do not show, and what was assumed: one line each.
    """

    network: nn.Module
    kind: str
    spatial_dims: int
    in_channels: int
    sizes: ValidSizes
    processing: Processing | None = None
    about: About = field(default_factory=About)
    warnings: tuple[str, ...] = ()


UNIT_RANGE = Rescale(low_fraction=0.01, high_fraction=0.99, by_type=True)
"""Grey levels between 0 and 1, whatever their scale was.

A DnCNN is trained on images of 8 bits divided by 255, and so are images of 8 bits here. Others
seldom fill their type, and one file's levels may end at 4095 or at 1. The quantiles 1 % and 99 %
come closest to dividing by 255 on the test image that comes with the weights (30.06 dB of 30.09;
all values from least to most: 27.8), as they leave out what noise alone reaches. In a sparse image
they fall short of its signal, and cost 1 to 2.4 dB.
"""


def recognize(state: State) -> Recognized | None:
    """Build the network that weights belong to.

    Parameters
    ----------
    state : mapping of str to Tensor
        Weights by name. A prefix that all names share does not matter.

    Returns
    -------
    Recognized or None
        None where they belong to no network that is known here.

    Raises
    ------
    ArchitectureError
        If the network is known but the weights do not fit together.
    """
    for candidate in _without_prefixes(state):
        for recognizer in _RECOGNIZERS:
            found = recognizer(candidate)
            if found is not None:
                return found
    return None


def multiples(settings: UNetSettings) -> ValidSizes:
    """Sizes that a CAREamics U-Net takes: multiples of 2 for each level."""
    step = (2**settings.depth,) * settings.spatial_dims
    return ValidSizes(step, step, (None,) * settings.spatial_dims)


def fill_unet(settings: UNetSettings, state: State) -> UNet:
    """Build a CAREamics U-Net; weights of batch norms that are not used are left out."""
    kept = {
        key: value
        for key, value in state.items()
        if settings.batch_norm or ".batch_norm" not in key
    }
    return filled(lambda: UNet(settings), kept)


def _unet(state: State) -> Recognized | None:
    settings = UNetSettings.from_weights(state)
    if settings is None:
        return None
    return Recognized(
        fill_unet(settings, state),
        "a CAREamics UNet",
        settings.spatial_dims,
        settings.in_channels,
        multiples(settings),
        warnings=(
            "weights alone do not say how grey levels are normalized, nor whether the network adds "
            "its input or ends in an activation: mean 0 and deviation 1, no and no are assumed",
        ),
    )


def _dncnn(state: State) -> Recognized | None:
    settings = DnCNNSettings.from_weights(state)
    if settings is None:
        return None
    warnings = [
        "its weights want grey levels between 0 and 1: an 8-bit image is divided by 255, of any "
        "other the quantiles 1 % and 99 % are put there; choose the normalization 'none' for an "
        "image that is between 0 and 1 already"
    ]
    if len(settings.convolutions) == 7:
        warnings.append(
            "it is taken for a DnCNN of 7 layers; an IRCNN, whose layers are spread out, has the "
            "same weights and would give wrong results"
        )
    return Recognized(
        filled(lambda: DnCNN(settings), without_prefix(state)),
        "DnCNN",
        settings.spatial_dims,
        settings.channels,
        ValidSizes.any(settings.spatial_dims),
        Processing((UNIT_RANGE,), (Undo(UNIT_RANGE),)),
        About(
            citations=(
                Citation(
                    "Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for "
                    "image denoising, IEEE TIP 2017",
                    "https://doi.org/10.1109/TIP.2017.2662206",
                ),
            )
        ),
        tuple(warnings),
    )


def _own(state: State) -> Recognized | None:
    found = own_settings(state)
    if found is None:
        return None
    step = (BiasFreeResidualCNN.PERIOD,) * 2
    return Recognized(
        filled(lambda: BiasFreeResidualCNN(*found), state),
        "this package's residual network",
        spatial_dims=2,
        in_channels=1,
        sizes=ValidSizes(step, step, (None, None)),
    )


def _own_unet(state: State) -> Recognized | None:
    found = own_unet_settings(state)
    if found is None:
        return None
    network = filled(lambda: BiasFreeUNet(**found), state)
    # What half precision rounded leaves a trace of the grey level.
    network.blind_to_level()
    dims = network.dims
    return Recognized(
        network,
        "this package's U-Net without biases",
        spatial_dims=dims,
        in_channels=1,
        sizes=ValidSizes(network.period, network.period, (None,) * dims),
    )


_MOST_PREFIXES = 8
"""Parts of names that are taken off; a name may have a million."""

_RECOGNIZERS: Sequence[Callable[[State], Recognized | None]] = (_unet, _own, _own_unet, _dncnn)


def _without_prefixes(state: State) -> list[dict[str, Tensor]]:
    """The weights, and the weights less each first part of a name that all names share."""
    candidates = [dict(state)]
    for _ in range(_MOST_PREFIXES):
        last = candidates[-1]
        firsts = {key.partition(".")[0] for key in last}
        if len(firsts) != 1 or not all("." in key for key in last):
            break
        candidates.append({key.partition(".")[2]: value for key, value in last.items()})
    return candidates
