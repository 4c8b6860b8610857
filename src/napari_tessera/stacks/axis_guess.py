"""Axis letters for images that do not tell theirs: from labels, and else from the shape."""

from __future__ import annotations

from collections.abc import Sequence

from napari_tessera.axes import AXES

_WORDS = {
    "S": ("s", "sample", "samples", "position", "positions", "scene", "well", "field", "series"),
    "T": ("t", "time", "times", "frame", "frames", "timepoint", "timepoints"),
    "C": ("c", "ch", "channel", "channels", "color", "colour", "band", "wavelength", "lambda"),
    "Z": ("z", "depth", "plane", "planes", "slice", "slices", "focus"),
    "Y": ("y", "row", "rows", "height"),
    "X": ("x", "column", "columns", "col", "width"),
}
_LETTERS = {word: letter for letter, words in _WORDS.items() for word in words}
_MOST_CHANNELS = 4
_SMALLEST_SIDE = 16


class GuessedAxes(str):
    """Axis letters of which some come from the shape alone, as nothing names these axes."""


def letter_of(label: str | None) -> str | None:
    """Axis letter that a label stands for (``"z"``, ``"Time"``, ``"channel"``), or None."""
    return None if label is None else _LETTERS.get(label.strip().casefold())


def guess_axes(
    shape: Sequence[int],
    rgb: bool = False,
    axis_labels: Sequence[str | None] | None = None,
    chunks: Sequence[int] | None = None,
) -> str:
    """Guess the axis letters of an image.

    Labels that are letters or words (``"z"``, ``"time"``, ``"channel"``) are taken at their word.
    For the rest:

    * Y and X are the last two axes. The last axis is not X but comes after the plane where it
      has at most 4 entries beside sides of 16 and more (then it is C), or where data is chunked
      one by one along it and not along the two before.
    * A further axis of 2 to 4 entries is C (the shortest, where there are several): a stack of
      so few planes or time points is rare, channels are not; and taking planes for channels
      costs less than the reverse, where all channels would share one intensity range.
    * What is left becomes, from the innermost outwards, Z, T, S, C, as far as these are free: a
      volume is the commonest image with three axes, and the choice that lets a 3D model run; a
      2D model treats Z and T alike.

    Parameters
    ----------
    shape : sequence of int
        Shape of the image, the colours of an RGB image included.
    rgb : bool, optional
        Whether the last axis is known to hold colours.
    axis_labels : sequence of str or None, optional
        What the image calls its axes; None or any other word where it says nothing. One label
        fewer than axes is right for an RGB image.
    chunks : sequence of int, optional
        Shape of the image's chunks.

    Returns
    -------
    str
        One letter out of ``STCZYX`` per axis; `GuessedAxes` where one of them is no more than a
        guess. Two axes without a name beside axes that have one are Y and X, which is none.

    Raises
    ------
    ValueError
        If the image has fewer than two or more than six axes.
    """
    sizes = [int(size) for size in shape]
    if not 2 + rgb <= len(sizes) <= len(AXES):
        text = "×".join(map(str, sizes)) or "none"
        raise ValueError(
            f"an image of shape {text} has {len(sizes)} axes; from {2 + rgb} to {len(AXES)} are "
            f"possible ({AXES})"
        )
    letters = _from_labels(len(sizes), rgb, axis_labels)
    unnamed = [at for at, letter in enumerate(letters) if not letter]
    _place_plane(letters, sizes, chunks)
    _place_channel(letters, sizes)
    free = [letter for letter in "ZTSC" if letter not in letters]
    for at in reversed(range(len(sizes))):
        if not letters[at]:
            letters[at] = free.pop(0)
    axes = "".join(letters)
    return GuessedAxes(axes) if any(letters[at] not in "YX" for at in unnamed) else axes


def _from_labels(ndim: int, rgb: bool, labels: Sequence[str | None] | None) -> list[str]:
    """Letters that labels give, "" elsewhere; all "" where they leave no room for Y and X."""
    unknown = [""] * ndim
    if rgb:
        unknown[-1] = "C"
    letters = list(unknown)
    for at, label in enumerate(list(labels or ())[: ndim - rgb]):
        letter = letter_of(label)
        if letter and letter not in letters:
            letters[at] = letter
    missing = [letter for letter in "YX" if letter not in letters]
    return letters if letters.count("") >= len(missing) else unknown


def _place_plane(letters: list[str], sizes: list[int], chunks: Sequence[int] | None) -> None:
    free = [at for at, letter in enumerate(letters) if not letter]
    missing = [letter for letter in "YX" if letter not in letters]
    if len(missing) == 2 and len(free) > 2:
        *_, before, inner, last = free
        sides = min(sizes[before], sizes[inner])
        narrow = sizes[last] <= _MOST_CHANNELS and sides >= _SMALLEST_SIDE
        apart = chunks is not None and chunks[last] == 1 < min(chunks[before], chunks[inner])
        if last == len(sizes) - 1 and (narrow or (apart and sizes[last] > 1)):
            if narrow and "C" not in letters:
                letters[last] = "C"
            free = free[:-1]
    for letter, at in zip(missing, free[len(free) - len(missing) :], strict=True):
        letters[at] = letter


def _place_channel(letters: list[str], sizes: list[int]) -> None:
    if "C" in letters:
        return
    few = [
        at for at, letter in enumerate(letters) if not letter and 2 <= sizes[at] <= _MOST_CHANNELS
    ]
    if few:
        letters[min(few, key=sizes.__getitem__)] = "C"
