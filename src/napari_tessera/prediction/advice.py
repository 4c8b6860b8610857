"""What people should know of a plan before they run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_tessera.models.processing import MEAN, Rescale, SampleStatistics, Standardize
from napari_tessera.prediction.check_readings import percent
from napari_tessera.prediction.statistics import Subsample

if TYPE_CHECKING:
    from napari_tessera.models import Model

SUSPICIOUS_FRACTION = 0.001
"""Share of zero or saturated pixels above which people are told."""

OFF_RANGE = 3
"""Factor between an image's grey levels and those a model knows above which people are told."""

NEAR = 0.1
"""Share of the model's standard deviation within which means are alike."""

SUSPICIOUS_STRIPES = 0.2
"""Excess of the correlation along rows above which people are told that stripes will stay."""


def overlap_warnings(
    letters: str,
    spatial: Sequence[int],
    patch: Sequence[int],
    overlaps: Sequence[int],
    name: str,
    reach: Sequence[int] | None,
    seam: float | None = None,
) -> list[str]:
    """Axes along which tiles overlap less than the model needs, or a model that needs all.

    Parameters
    ----------
    letters, spatial, patch, overlaps
        Spatial axes, and along them the sizes of image and tile and the total overlap, in pixels.
    name : str
        Name of the model.
    reach : sequence of int, or None
        How far it looks, in pixels; None where it looks at all of a tile.
    seam : float, optional
        Height of the seams, in grey levels, where it was measured.
    """
    # two figures, and 460 rather than 4.6e+02
    about = "" if seam is None else f" of about {float(f'{seam:.2g}'):g} grey levels"
    if reach is None:
        if all(p >= size for p, size in zip(patch, spatial, strict=True)):
            return []
        return [
            f"the model {name} looks at the whole tile: tiles cannot join exactly, expect seams"
            f"{about}; larger tiles make them rarer"
        ]
    short = [
        (letter, overlap, far)
        for letter, size, p, overlap, far in zip(
            letters, spatial, patch, overlaps, reach, strict=True
        )
        if p < size and overlap // 2 < far
    ]
    if not short:
        return []
    # one line for all axes: the seam is measured along one of them and stands for all
    named = _listed([f"{letter} {overlap}" for letter, overlap, _ in short])
    sides = _listed([f"{overlap // 2}" for _, overlap, _ in short])
    around = _listed([f"{far}" for *_, far in short])
    what = f"overlap {named} is" if len(short) == 1 else f"overlaps {named} are"
    return [
        f"{what} {sides} px each side, less than the {around} px that the model looks around: "
        f"expect seams{about}"
    ]


def _listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; what all say alike is said once."""
    if len(set(words)) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def range_warnings(model: Model, statistics: SampleStatistics, channel: int | None) -> list[str]:
    """Grey levels more than 3 times off those that a model's own numbers are for.

    Parameters
    ----------
    model : Model
        The model, of which the first operation is looked at.
    statistics : SampleStatistics
        Of the image: what that operation would take from it.
    channel : int or None
        The channel that goes to the model by itself, for the text; None where there is one, or
        all go together.
    """
    first = next(iter(model.processing.before if model.processing else ()), None)
    n_channels = statistics[MEAN].size
    found: list[tuple[float, str, float, float]] = []
    if isinstance(first, Standardize):
        (own_mean, own_std), (mean, std) = (
            step.moments(statistics, n_channels) for step in (first, first.measured())
        )
        for own, image, scale in zip(own_mean, mean, own_std, strict=True):
            # a mean near 0 is many times another near 0, and means the same
            if abs(own - image) > NEAR * scale:
                found.append((_times(own, image), "mean", own, image))
        name = "standard deviation"
        found += [(_times(o, i), name, o, i) for o, i in zip(own_std, std, strict=True)]
    elif isinstance(first, Rescale):
        (_, own_span), (_, span) = (
            step.ends(statistics, n_channels) for step in (first, first.measured())
        )
        found += [(_times(o, i), "range", o, i) for o, i in zip(own_span, span, strict=True)]
    lines = []
    where = "" if channel is None else f" in channel {channel}"
    for name in dict.fromkeys(kind for _, kind, *_ in found):
        times, _, own, image = max(entry for entry in found if entry[1] == name)
        if times > OFF_RANGE:
            lines.append(
                f"the image's {name}{where} ({_grey(image)}) is more than {OFF_RANGE} times off "
                f"what the model {model.name} is for ({_grey(own)}): take the intensity range from "
                "the image"
            )
    return lines


def _grey(value: float) -> str:
    """Three figures, and 2390 rather than 2.39e+03."""
    return f"{float(f'{value:.3g}'):g}"


def _times(one: float, other: float) -> float:
    """How many times the larger is the smaller; infinite for numbers of different signs."""
    small, large = sorted((abs(one), abs(other)))
    if small == large:
        return 1.0 if one == other else float("inf")
    return large / small if one * other > 0 else float("inf")


def image_warnings(look: Subsample) -> list[str]:
    """Zeros, saturation and stripes in what was looked at of the image, or no number at all."""
    found = list(look.warnings)
    if look.nonfinite == look.pixels:
        found.append(
            "all pixels looked at are NaN, infinite or beyond float32: they are not predicted, and "
            "there is no intensity range to measure; choose another image or area"
        )
    for count, what, why in (
        (look.zeros, "0", "cut off below: dark areas may come out too bright"),
        (look.saturated, "saturated", "cut off above: bright areas may come out too dark"),
    ):
        share = count / max(1, look.pixels)
        if share > SUSPICIOUS_FRACTION:
            found.append(f"{percent(share)} of the pixels looked at are {what}: {why}")
    if look.row_correlation > SUSPICIOUS_STRIPES:
        found.append(
            "the noise of neighbours in a row is alike "
            f"(excess correlation {look.row_correlation:.2f}): stripes will stay or stand out"
        )
    return found
