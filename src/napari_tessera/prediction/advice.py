"""What people should know of a plan before they run it."""

from __future__ import annotations

from collections.abc import Sequence

from napari_tessera.prediction.statistics import Subsample

SUSPICIOUS_FRACTION = 0.001
"""Share of zero or saturated pixels above which people are told."""

SUSPICIOUS_STRIPES = 0.2
"""Excess of the correlation along rows above which people are told that stripes will stay."""


def overlap_warnings(
    letters: str,
    spatial: Sequence[int],
    patch: Sequence[int],
    overlaps: Sequence[int],
    name: str,
    reach: Sequence[int] | None,
) -> list[str]:
    """Axes along which tiles overlap less than the model needs, or a model that needs all."""
    if reach is None:
        return [
            f"the model {name} looks at the whole tile: tiles cannot join exactly; larger "
            "tiles make seams rarer"
        ]
    return [
        f"overlap {letter} {overlap} is {overlap // 2} px each side, less than the {far} px that "
        "the model looks around: expect seams"
        for letter, size, p, overlap, far in zip(
            letters, spatial, patch, overlaps, reach, strict=True
        )
        if p < size and overlap // 2 < far
    ]


def image_warnings(look: Subsample) -> list[str]:
    """Zeros, saturation and stripes in what was looked at of the image."""
    found = []
    for count, what, why in (
        (look.zeros, "0", "cut off below: dark areas may come out too bright"),
        (look.saturated, "saturated", "cut off above: bright areas may come out too dark"),
    ):
        share = count / max(1, look.pixels)
        if share > SUSPICIOUS_FRACTION:
            found.append(f"{share:.1%} of the pixels looked at are {what}: {why}")
    if look.row_correlation > SUSPICIOUS_STRIPES:
        found.append(
            "the noise of neighbours in a row is alike "
            f"(excess correlation {look.row_correlation:.2f}): stripes will stay or stand out"
        )
    return found
