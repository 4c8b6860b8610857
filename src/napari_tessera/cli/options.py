"""What people type after an option, turned into values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import typer

from napari_tessera.prediction.camera_numbers import checked_gain, checked_offset

DEVICE = re.compile(r"auto|all|(cpu|mps|cuda(:\d+)?)(,(cpu|mps|cuda(:\d+)?))*")
_OF_A_CHANNEL = re.compile(r"(\d+)=(.+)")


def parse_sizes(text: str) -> Literal["auto"] | int | tuple[int, ...]:
    """Sizes along (Z)YX.

    Parameters
    ----------
    text : str
        ``"auto"``, one whole number for all axes, or one per axis between commas.

    Raises
    ------
    typer.BadParameter
        If it is none of these.
    """
    if text.strip() == "auto":
        return "auto"
    sizes = _whole_numbers(text)
    if sizes is None:
        raise typer.BadParameter(
            f"{text!r} is no size: give whole numbers of pixels like 64,256,256, or auto"
        )
    return sizes[0] if len(sizes) == 1 else sizes


def parse_batch_size(text: str) -> Literal["auto"] | int:
    """Tiles per run of the model: ``"auto"`` or a whole number."""
    if text.strip() == "auto":
        return "auto"
    numbers = _whole_numbers(text)
    if numbers is None or len(numbers) != 1:
        raise typer.BadParameter(f"{text!r} is no batch size: give a whole number, or auto")
    return numbers[0]


def parse_threads(text: str) -> int | None:
    """Threads of the model: a whole number from 1 on, or ``"auto"``: None, torch's choice."""
    if text.strip() == "auto":
        return None
    numbers = _whole_numbers(text)
    if numbers is None or len(numbers) != 1 or numbers[0] < 1:
        raise typer.BadParameter(
            f"{text!r} is no number of threads: give a whole number from 1 on, or auto"
        )
    return numbers[0]


def parse_offset(text: str) -> float | None:
    """Grey level of no light; None for 0."""
    return _of_camera(checked_offset, text)


def parse_gain(text: str) -> float | None:
    """Grey levels per photo-electron; None for 1."""
    return _of_camera(checked_gain, text)


def _of_camera(checked: Callable[[object], float | None], text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number: give one like 0.46") from None
    try:
        return checked(number)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_channels(text: str | None) -> tuple[int, ...] | None:
    """Channels between commas, counted from 0; None for all."""
    if text is None:
        return None
    channels = _whole_numbers(text)
    if channels is None:
        raise typer.BadParameter(f"{text!r} are no channels: give their numbers from 0, like 0,2")
    return channels


def parse_inside(text: str | None) -> str | list[Any] | None:
    """A mask, or shapes as JSON; None for neither.

    Parameters
    ----------
    text : str or None
        A file of any kind of image, or a list of polygons ``[[[Y, X], …], …]``, of which each may
        be ``{"points": [[Y, X], …], "kind": "ellipse", "at": {"Z": 3}}`` too. One shape need not be
        in a list.

    Raises
    ------
    typer.BadParameter
        If it begins as JSON and is none.
    """
    if text is None or not text.lstrip().startswith(("[", "{")):
        return text
    try:
        shapes = json.loads(text)
    except (ValueError, RecursionError):
        shapes = None
    if isinstance(shapes, dict):
        return [shapes]
    if not isinstance(shapes, list):
        raise typer.BadParameter(
            f"{text!r} are no shapes: give a list of polygons, [[[Y, X], …], …] in pixels, or the "
            "file of a mask"
        )
    return shapes


def parse_chunks(text: str | None) -> int | tuple[int, ...] | None:
    """Chunk sizes along the last axes, one for Y and X; None for those that are chosen."""
    if text is None or text.strip() == "auto":
        return None
    sizes = _whole_numbers(text)
    if sizes is None or min(sizes) < 1:
        raise typer.BadParameter(
            f"{text!r} are no chunk sizes: give whole numbers of pixels along the last axes, like "
            "16,256,256"
        )
    return sizes[0] if len(sizes) == 1 else sizes


def parse_device(text: str) -> str:
    """Name of a device: auto, cpu, mps, cuda, or cuda:N; several with commas; all GPUs."""
    device = "".join(text.lower().split())
    if DEVICE.fullmatch(device) is None:
        raise typer.BadParameter(
            f"{text!r} is no device: give auto, cpu, cuda, cuda:1 or mps; for several "
            "cuda:0,cuda:1, or all"
        )
    return device


def parse_models(texts: Sequence[str]) -> str | dict[int, str]:
    """One model, or one for each of several channels.

    Parameters
    ----------
    texts : sequence of str
        A model alone, or ``CHANNEL=MODEL`` as often as wanted, channels counted from 0.

    Returns
    -------
    str or dict of int to str
        What `load_model` takes.

    Raises
    ------
    typer.BadParameter
        If several models, or two of one channel, are given.
    """
    if len(texts) == 1 and _OF_A_CHANNEL.fullmatch(texts[0]) is None:
        return texts[0]
    of: dict[int, str] = {}
    for text in texts:
        named = _OF_A_CHANNEL.fullmatch(text)
        if named is None:
            raise typer.BadParameter(
                f"{text!r} names no channel, and there are {len(texts)} models: give one model, or "
                "each with its channel, like 0=a.pt"
            )
        channel = int(named[1])
        if channel in of:
            raise typer.BadParameter(
                f"channel {channel} has two models, {of[channel]} and {named[2]}: give one"
            )
        of[channel] = named[2]
    return of


def parse_region(text: str | None) -> dict[str, slice | int | list[int]] | None:
    """Part of an image by its axes.

    Parameters
    ----------
    text : str or None
        Axis letters with a range ``T=0:3`` (the end is not part of it), an index ``Z=5``, or
        indices ``T=0,2,5``; several axes between commas: ``T=0:3,Z=5``.

    Returns
    -------
    dict or None
        Axis letter to slice, int or list of int; None for everything.

    Raises
    ------
    typer.BadParameter
        If it cannot be read, or names an axis twice.
    """
    if text is None:
        return None
    parts: dict[str, list[str]] = {}
    letter = ""
    for word in text.split(","):
        name, equals, value = word.partition("=")
        if equals:
            letter = name.strip().upper()
            if letter in parts:
                raise typer.BadParameter(f"{text!r} names axis {letter} twice: give it once")
            parts[letter] = [value]
        elif letter:
            parts[letter].append(word)
        else:
            raise _no_region(text, word)
    return {letter: _along(values, text) for letter, values in parts.items()}


def check_region(
    region: Mapping[str, slice | int | list[int]] | None, sizes: Mapping[str, int]
) -> None:
    """Refuse ranges that reach past an axis: what Python cuts off silently is here a typo.

    Parameters
    ----------
    region : mapping or None
        What `parse_region` gave.
    sizes : mapping of str to int
        Sizes of axes; others are passed over.

    Raises
    ------
    ValueError
        If a range begins or ends outside an axis, naming its size.
    """
    for letter, along in (region or {}).items():
        size = sizes.get(letter)
        if size is None or not isinstance(along, slice):
            continue
        for bound in (along.start, along.stop):
            if bound is not None and not -size <= bound <= size:
                raise ValueError(
                    f"region {letter}: {bound} is outside the image, {letter} has {size}: give "
                    f"bounds up to {size}, or leave the end out"
                )


def _along(values: list[str], text: str) -> slice | int | list[int]:
    if len(values) == 1 and ":" in values[0]:
        bounds = values[0].split(":")
        if len(bounds) > 3:
            raise _no_region(text, values[0])
        ends = [None if not end.strip() else _whole_number(end, text) for end in bounds]
        return slice(*ends)
    indices = [_whole_number(value, text) for value in values]
    return indices[0] if len(indices) == 1 else indices


def _whole_number(word: str, text: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise _no_region(text, word) from None


def _no_region(text: str, word: str) -> typer.BadParameter:
    return typer.BadParameter(
        f"{text!r} is no region, because of {word.strip()!r}: give axes with a range or an index, "
        "like T=0:3,Z=5"
    )


def _whole_numbers(text: str) -> tuple[int, ...] | None:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        return None
