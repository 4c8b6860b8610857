"""The file of a screenshot: a PNG of few colours, as good as its size allows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

MOST_BYTES = 250_000


def save(pixmap: Any, path: Path, noisy: list[tuple[int, int, int, int]]) -> None:
    """Write a picture in 256 colours and, where there is noise, as many levels as fit.

    Parameters
    ----------
    pixmap : QPixmap
        The picture.
    path : Path
        Where to; it gets no larger than `MOST_BYTES`.
    noisy : list of tuple of int
        Left, top, right and bottom of what may have fewer levels: noise takes most of the room,
        and shows as well with 16 of them.
    """
    from PIL import Image, ImageOps
    from qtpy.QtCore import QBuffer, QIODevice

    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pixmap.save(buffer, "PNG")
    picture = Image.open(io.BytesIO(bytes(buffer.data()))).convert("RGB")
    for bits in (6, 5, 4, 3):
        few, around = picture.copy(), picture.copy()
        for box in noisy:
            few.paste(ImageOps.posterize(picture.crop(box), bits), box[:2])
            around.paste((0, 0, 0), box)
        # Rare colours of the window, as that of a warning, count as much as those of the noise.
        palette = [*commonest(around, 160), *commonest(few, 256)]
        colours = Image.new("P", (1, 1))
        colours.putpalette([value for colour in dict.fromkeys(palette) for value in colour][:768])
        out = io.BytesIO()
        few.quantize(palette=colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() <= MOST_BYTES:
            break
    path.write_bytes(out.getvalue())
    print(f"{path.name}: {picture.width}×{picture.height}, {out.tell() / 1000:.0f} kB")


def commonest(picture: Any, most: int) -> list[tuple[int, int, int]]:
    """Colours of a picture, the one that most of it has first."""
    counted = picture.getcolors(picture.width * picture.height)
    return [colour for _, colour in sorted(counted, reverse=True)[:most]]
