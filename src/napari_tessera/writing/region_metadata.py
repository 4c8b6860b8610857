"""What is known of a part of an image, out of what is known of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region


def region_metadata(metadata: ImageMetadata, region: Region) -> ImageMetadata:
    """Metadata of a region as an array of its own.

    Parameters
    ----------
    metadata : ImageMetadata
        Of the whole image.
    region : Region
        The part, over the output's axes.

    Returns
    -------
    ImageMetadata
        In the region's axes; what is unknown of the image is None, where the region is all of it.
        The region's start is added to the translation; evenly spaced indices widen the step.
        Channels have scale 1 and translation 0, and their names and colours only where there is one
        for each channel of the output.
    """
    scales, units, translations = [], [], []
    for letter in region.axes:
        scale, unit, translation = metadata.along(letter)
        if letter == "C":
            scale, unit, translation = 1.0, None, 0.0
        else:
            chosen = region.along(letter)
            translation += scale * chosen[0]
            scale *= _step(chosen)
        scales.append(float(scale))
        units.append(unit)
        translations.append(float(translation))
    told = metadata.scale is not None or metadata.translation is not None
    known = told or any(translations) or any(scale != 1.0 for scale in scales)
    n_channels = region.shape[region.axes.index("C")] if "C" in region.axes else 0

    def selected(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        fitting = values is not None and len(values) == n_channels
        return tuple(values[c] for c in region.along("C")) if values and fitting else None

    return ImageMetadata(
        axes=region.axes,
        scale=tuple(scales) if known else None,
        units=tuple(units) if metadata.units is not None else None,
        translation=tuple(translations) if known else None,
        channel_names=selected(metadata.channel_names),
        channel_colors=selected(metadata.channel_colors),
    )


def _step(chosen: Sequence[int]) -> int:
    """Distance of the indices where it is one and the same, else 1."""
    if isinstance(chosen, range):
        return 1
    steps = {after - before for before, after in pairwise(chosen)}
    return steps.pop() if len(steps) == 1 else 1
