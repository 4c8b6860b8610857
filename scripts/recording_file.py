"""The file of a recording: an animated WebP with a pointer, as good as its size allows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from recording_hand import Place, place_at

if TYPE_CHECKING:
    from PIL.Image import Image

    from recording_camera import Film

MOST_BYTES = 3_000_000
QUALITIES = (80, 72, 64, 56, 48, 40)

ARROW = ((0, 0), (0, 17), (4, 13.5), (6.5, 19.5), (9, 18.5), (6.5, 12.5), (11.5, 12))
"""Outline of the pointer, px from its tip."""

RING = 11
"""Radius of the ring around a pointer that presses, px."""

FINE = 4
"""The pointer is drawn so many times finer, and made smaller: its edges are smooth."""


def write(film: Film, track: list[Place], path: Path, keep: Path | None = None) -> None:
    """Write a recording.

    Parameters
    ----------
    film : Film
        What was filmed.
    track : list of Place
        Where the hand was meanwhile.
    path : Path
        The file, ``.webp``; it gets no larger than `MOST_BYTES`.
    keep : Path, optional
        A folder that gets one picture a second, for looking at.

    Raises
    ------
    ValueError
        If it is too large however few colours it has.
    """
    pictures, shown = _with_pointer(film, track)
    path.parent.mkdir(parents=True, exist_ok=True)
    for quality in QUALITIES:
        out = io.BytesIO()
        pictures[0].save(
            out,
            "WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=shown,
            loop=0,
            quality=quality,
            method=4,
            minimize_size=True,
        )
        if out.tell() <= MOST_BYTES:
            break
    else:
        raise ValueError(f"{path.name} would have {out.tell() / 1e6:.1f} MB, at most 3 are allowed")
    path.write_bytes(out.getvalue())
    width, height = pictures[0].size
    seconds = sum(shown) / 1000
    size = out.tell() / 1e6
    print(
        f"{path.name}: {width}×{height}, {seconds:.1f} s, {len(pictures)} pictures, {size:.2f} MB"
    )
    if keep is not None:
        _keep(pictures, shown, keep)


def _with_pointer(film: Film, track: list[Place]) -> tuple[list[Image], list[int]]:
    """Pictures that differ from the one before, and how long each is on display, ms."""
    pictures: list[Image] = []
    shown: list[int] = []
    last: tuple[int, Place | None] = (-1, None)
    ends = [*film.times[1:], film.times[-1] + 1.0]
    for index, start, end, picture in zip(
        film.indices, film.times, ends, film.pictures(), strict=True
    ):
        place = place_at(track, start)._replace(at=0.0)
        # each time is rounded, not each duration: nothing adds up
        length = round(1000 * (end - film.times[0])) - round(1000 * (start - film.times[0]))
        if (index, place) == last:
            shown[-1] += length
            continue
        last = (index, place)
        pictures.append(draw_pointer(picture, place))
        shown.append(length)
    return pictures, shown


def draw_pointer(picture: Image, place: Place) -> Image:
    """A picture with the pointer at a place."""
    from PIL import Image, ImageDraw

    margin = RING + 12
    size = FINE * 2 * margin
    left, top = round(place.x) - margin, round(place.y) - margin
    sprite = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sprite)
    middle = FINE * margin
    if place.pressed:
        low, high = middle - FINE * RING, middle + FINE * RING
        ring = (low, low, high, high)
        draw.ellipse(ring, fill=(255, 200, 0, 90), outline=(255, 200, 0, 255), width=2 * FINE)
    outline = [(middle + FINE * x, middle + FINE * y) for x, y in ARROW]
    draw.polygon(outline, fill=(255, 255, 255, 255))
    draw.line([*outline, outline[0]], fill=(0, 0, 0, 255), width=FINE + 1, joint="curve")
    small = sprite.resize((2 * margin, 2 * margin), Image.Resampling.LANCZOS)
    drawn = picture.copy()
    drawn.paste(small, (left, top), small)
    return drawn


def _keep(pictures: list[Image], shown: list[int], folder: Path) -> None:
    """Save a picture of each second."""
    folder.mkdir(parents=True, exist_ok=True)
    start = 0
    for picture, length in zip(pictures, shown, strict=True):
        if start // 1000 != (start + length) // 1000 or start == 0:
            picture.save(folder / f"{(start + length) // 1000:02d}.png")
        start += length
