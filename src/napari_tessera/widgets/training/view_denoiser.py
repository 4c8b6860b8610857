"""Denoises what is in view with the weights of a training that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_tessera.models import Model
    from napari_tessera.training.data.source import Statistics
    from napari_tessera.widgets.training.box import Live

MOST_PIXELS = 2**20
"""Pixels of a preview: what is in view beyond them, around the middle, is left out."""

Selection = Mapping[str, slice | int]


@dataclass(frozen=True)
class Seen:
    """What was denoised.

    Parameters
    ----------
    pixels : numpy.ndarray
        float32, over the image's axes; those that the selection gives an index for are 1 long.
    selection : mapping
        Axis letter to slice or index.
    """

    pixels: NDArray[np.float32]
    selection: Selection


class ViewDenoiser:
    """Predicts parts of an image with the averaged weights of a training, on one CPU thread.

    From one thread at a time.

    Parameters
    ----------
    live : Live
        The training.
    stack : ImageStack
        The image.
    spatial_dims : {2, 3}
        What the network takes.
    """

    def __init__(self, live: Live, stack: Any, spatial_dims: int) -> None:
        self.live = live
        self._stack = stack
        self._dims = spatial_dims
        self._first: Model | None = None
        """How far its network looks is that of all: it was measured once."""

    def denoise(self, selection: Selection) -> Seen:
        """Predict with the weights as they are now.

        Parameters
        ----------
        selection : mapping
            What is in view, of all channels.
        """
        return _predicted(self._stack, self._model(), selection, normalization="none")

    def _model(self) -> Model:
        from napari_tessera.models import Model, load_model

        statistics = self.live.statistics
        network = with_grey_levels(self.live.trainer.snapshot(), statistics)
        channels = len(statistics.means)
        model = load_model(network, device="cpu", spatial_dims=self._dims, in_channels=channels)
        if self._first is None:
            self._first = model
            return model
        return Model(
            model.loaded, self._dims, channels, device="cpu", prepare=False, measured=self._first
        )


def denoised_by(model: Path, stack: Any, selection: Selection) -> Seen:
    """Predict a part of an image with a model that was trained, as a run would.

    Parameters
    ----------
    model : Path
        Its file.
    stack : ImageStack
        The image.
    selection : mapping
        What is in view, of all channels.
    """
    from napari_tessera.models import load_model

    return _predicted(stack, load_model(model, device="cpu"), selection)


def _predicted(stack: Any, model: Model, selection: Selection, **settings: Any) -> Seen:
    """Predict a part of an image on one thread, without the warnings that `predict` gives.

    The training has told of pixels that are NaN, once; every preview would tell it again.
    """
    from napari_tessera.prediction import plan_prediction, run_prediction
    from napari_tessera.writing import ArrayWriter

    plan = plan_prediction(
        stack, model, region=dict(selection), reader_threads=1, torch_threads=1, **settings
    )
    pixels = np.full(plan.region.selected_shape, np.nan, np.float32)
    run_prediction(plan, stack, model, writers=[(ArrayWriter(pixels, plan.region), ".")])
    return Seen(pixels, selection)


def middle_of(selection: Selection, most: int = MOST_PIXELS) -> Selection:
    """The middle of what is in view, where there is more of it than a preview takes on.

    Each slice is shortened by the same factor.
    """
    slices = {letter: part for letter, part in selection.items() if isinstance(part, slice)}
    pixels = float(np.prod([part.stop - part.start for part in slices.values()]))
    if pixels <= most or not slices:
        return selection
    factor = (most / pixels) ** (1 / len(slices))
    shorter: dict[str, slice | int] = dict(selection)
    for letter, part in slices.items():
        size = max(1, int((part.stop - part.start) * factor))
        start = part.start + (part.stop - part.start - size) // 2
        shorter[letter] = slice(start, start + size)
    return shorter


def with_grey_levels(network: nn.Module, statistics: Statistics) -> nn.Module:
    """A network that takes and gives grey levels of the image, in evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
        Takes normalized pixels NC(Z)YX.
    statistics : Statistics
        How they are normalized.
    """
    import torch
    from torch import nn as modules

    from napari_tessera.models.own_format.document import EPSILON

    def wide(values: Any) -> Tensor:
        return torch.tensor(values, dtype=torch.float32)

    class GreyLevels(modules.Module):
        """Normalizes what goes in, and what comes out the other way."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            out_means = statistics.target_means or statistics.means
            out_stds = statistics.target_stds or statistics.stds
            self.register_buffer("means", wide(statistics.means))
            self.register_buffer("stds", wide(statistics.stds) + EPSILON)
            self.register_buffer("out_means", wide(out_means))
            self.register_buffer("out_stds", wide(out_stds) + EPSILON)

        def forward(self, x: Tensor) -> Tensor:
            shape = (-1, *(1,) * (x.ndim - 2))
            means, stds = self.get_buffer("means"), self.get_buffer("stds")
            y: Tensor = self.network((x - means.reshape(shape)) / stds.reshape(shape))
            out_means, out_stds = self.get_buffer("out_means"), self.get_buffer("out_stds")
            return y * out_stds.reshape(shape) + out_means.reshape(shape)

    return GreyLevels().eval()
