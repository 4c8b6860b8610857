"""How much the predictions of flipped tiles differ: a quantity of its own, shown as one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.widgets.fields.layer_facts import pixels_of
from napari_tessera.widgets.output_layer import DENOISED, OutputKind
from napari_tessera.widgets.request import VIEW, RunRequest
from napari_tessera.widgets.view_sample import sample_in_view

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

MEANING = "shows where the model is unstable, not where it is wrong"

DISAGREEMENT = "disagreement"
"""Setting of test-time augmentation that makes it."""

FLIPS = OutputKind(
    "_flip_disagreement",
    look={"colormap": "magma", "gamma": 1.0, "contrast_limits": (0.0, 1.0)},
    says={"napari_tessera_meaning": f"flip disagreement: {MEANING}"},
)

_TOP = 99.5
"""Percentile of the values in view that is shown brightest."""


def disagreement_request(request: RunRequest, layers: tuple[Image, ...]) -> RunRequest:
    """The same settings, so the same tiles, for the disagreement in view; never saved."""
    return replace(request, layers=layers, area=VIEW, tta=DISAGREEMENT, save=None)


def kind_of(request: RunRequest) -> OutputKind:
    """What sort of output a request makes."""
    return FLIPS if request.tta == DISAGREEMENT else DENOISED


class FittedLimits:
    """Contrast limits from the values that are there, until somebody sets others."""

    def __init__(self) -> None:
        self._given: tuple[float, float] | None = None

    def fit(self, viewer: ViewerModel, layer: Layer, axes: str) -> None:
        """Let the limits of a layer follow its values in view.

        Parameters
        ----------
        viewer : napari.components.ViewerModel
            The viewer.
        layer : napari.layers.Image
            A layer of values from 0 on.
        axes : str
            Letters of its dimensions.
        """
        image: Any = layer
        now = tuple(float(limit) for limit in image.contrast_limits)
        if self._given is not None and now != self._given:
            return
        values = sample_in_view(viewer, image, axes, pixels_of(image))
        top = float(np.percentile(values, _TOP)) if values.size else 0.0
        if top <= 0:
            return
        image.contrast_limits_range = (0.0, max(top, float(values.max())))
        image.contrast_limits = (0.0, top)
        self._given = tuple(float(limit) for limit in image.contrast_limits)  # type: ignore[assignment]
