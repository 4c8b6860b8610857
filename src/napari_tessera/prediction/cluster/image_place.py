"""How workers open the image that the client has open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from napari_tessera.prediction.cluster.words import ImagePlace
from napari_tessera.prediction.matching import image_fingerprint
from napari_tessera.stacks import ImageStack, open_stack, read_origins
from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.closing import close_stack
from napari_tessera.stacks.opening.location import local_path

if TYPE_CHECKING:
    from napari_tessera.prediction.plan import PredictionPlan


def image_place(image: ImageStack, plan: PredictionPlan) -> ImagePlace:
    """Find out how an image is opened anew, by doing it.

    Parameters
    ----------
    image : ImageStack
        The image, open here.
    plan : PredictionPlan
        Made for it: what is opened must have its pixels.

    Raises
    ------
    ValueError
        If it cannot be opened by a path or URL, as it is in memory only.
    """
    for place in candidates(image):
        try:
            difference = other_image(place, plan)
        except (OSError, ValueError):
            continue
        if difference is None:
            return place
    raise ValueError(
        f"{image.source} is in the memory of this computer, where workers cannot read it: save it "
        "as OME-Zarr, and give that"
    )


def other_image(place: ImagePlace, plan: PredictionPlan) -> str | None:
    """Open what is at a place, and say in what it is not the image of a plan; None if it is.

    Raises
    ------
    FileNotFoundError, ValueError, StackReadError
        As `open_stack`.
    """
    stack = open_place(place)
    try:
        return difference_of(stack, plan)
    finally:
        close_stack(stack)


def open_place(place: ImagePlace) -> ImageStack:
    """Open an image as a worker does."""
    source = place.source if isinstance(place.source, str) else list(place.source)
    return open_stack(source, place.axes, channels=place.channels)


def difference_of(stack: ImageStack, plan: PredictionPlan) -> str | None:
    """In what a stack is not the image that a plan was made for; None if it is that."""
    for what, own, wanted in (
        ("axes", stack.original_axes, plan.input_axes),
        ("shape", tuple(stack.original_data_shape), plan.input_shape),
        ("data type", str(stack.data_dtype), plan.input_dtype),
    ):
        if own != wanted:
            return f"{what} {own} instead of {wanted}"
    return None if image_fingerprint(stack) == plan.input_fingerprint else "other pixels"


def unreadable(place: ImagePlace, error: BaseException) -> str:
    """Why a worker cannot take part, where opening the image raised."""
    return (
        f"cannot open {place.name} ({error_line(error)}): put it where all workers see it under "
        "that name, as a shared folder or a URL"
    )


def candidates(image: ImageStack) -> Iterator[ImagePlace]:
    """Ways in which an image may be opened anew; none of them is tried."""
    axes = image.original_axes
    sources: list[str | tuple[str, ...]] = [_absolute(str(image.source))]
    origins = tuple(str(path) for path in read_origins(image))
    sources += [*origins[:1], origins] if origins else []
    chosen = getattr(image, "channels", None)
    for source in dict.fromkeys(sources):
        yield ImagePlace(source, axes)
        if chosen is not None:
            yield ImagePlace(source, axes, tuple(chosen))


def _absolute(source: str) -> str:
    """A source that means the same wherever a process works."""
    return source if local_path(source) is None or "://" in source else os.path.abspath(source)
