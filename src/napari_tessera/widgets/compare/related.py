"""Which layers of a viewer show an input, and which show what was made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari.layers import Image, Layer

from napari_tessera.widgets.flip_disagreement import FLIPS
from napari_tessera.widgets.output_layer import INPUT_KEY, OUTPUT_KEY


@dataclass(frozen=True)
class Related:
    """An input layer and the layers that were made of it.

    Parameters
    ----------
    source : napari.layers.Image
        The input.
    outputs : tuple of napari.layers.Image
        Denoised ones, in the order of the layer list: the last is on top.
    others : tuple of napari.layers.Image
        Removed noise and flip disagreement.
    """

    source: Image
    outputs: tuple[Image, ...]
    others: tuple[Image, ...] = ()

    @property
    def made(self) -> tuple[Image, ...]:
        """All that was made of the input."""
        return (*self.outputs, *self.others)

    @property
    def is_seen(self) -> bool:
        """Whether anything that was made of the input is shown."""
        return any(layer.visible for layer in self.made)


def related_layers(layers: Iterable[Layer]) -> tuple[Related, ...]:
    """Find the inputs among layers of which something was made that is there as well.

    Parameters
    ----------
    layers : iterable of napari.layers.Layer
        The viewer's layers, in their order.

    Returns
    -------
    tuple of Related
        Those with at least one denoised layer or flip disagreement, in the order of the inputs.
    """
    there = tuple(layers)
    found = []
    for source in there:
        made = [layer for layer in there if layer.metadata.get(INPUT_KEY) == source.unique_id]
        if not made or not isinstance(source, Image):
            continue
        outputs = tuple(layer for layer in made if not _is_disagreement(layer))
        ids = {layer.unique_id for layer in made}
        noise = (layer for layer in there if layer.metadata.get(OUTPUT_KEY) in ids)
        others = (*(layer for layer in made if _is_disagreement(layer)), *noise)
        found.append(Related(source, outputs, others))
    return tuple(found)


def _is_disagreement(layer: Layer) -> bool:
    return all(layer.metadata.get(key) == value for key, value in FLIPS.says.items())


def kind_text(layer: Layer) -> str:
    """What a layer that was made of an input shows, in one or two words."""
    if OUTPUT_KEY in layer.metadata:
        return "removed noise"
    return "flip disagreement" if _is_disagreement(layer) else "denoised"
