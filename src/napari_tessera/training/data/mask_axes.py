"""In which axes a mask lies whose file does not say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.stacks import ImageStack


def axes_like(mask: ImageStack, image: ImageStack) -> str | None:
    """The image's axes for a mask that was opened in others, where these are its own.

    A file without a word about its axes is taken for planes along Z; drawn on a series of time
    points it is one of these.

    Parameters
    ----------
    mask : ImageStack
        As it was opened.
    image : ImageStack
        What is trained on.

    Returns
    -------
    str or None
        Axes to open the mask in: those of the image, or those without C, if its shape is theirs.
        None where it has no axis that is unknown to the image, or another shape.
    """
    own, axes = mask.original_axes, image.original_axes
    if not set(own) - {"C"} - set(axes):
        return None
    sizes = dict(zip(axes, image.original_data_shape, strict=True))
    for possible in (axes, axes.replace("C", "")):
        if tuple(mask.original_data_shape) == tuple(sizes[letter] for letter in possible):
            return possible
    return None
