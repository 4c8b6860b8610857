"""OME-TIFF in several files, as acquisition software leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

Array = NDArray[Any]

SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def tiff_data(name: str | None, *, ifd: int = 0, count: int | None = 1, **first: int) -> str:
    """A TiffData element; without a count it speaks of all pages of the file."""
    attributes = "".join(f' First{letter}="{at}"' for letter, at in first.items())
    planes = "" if count is None else f' IFD="{ifd}" PlaneCount="{count}"'
    uuid = "" if name is None else f'<UUID FileName="{name}">{uuid_of(name)}</UUID>'
    return f"<TiffData{attributes}{planes}>{uuid}</TiffData>"


def uuid_of(name: str) -> str:
    return f"urn:uuid:{name}"


def image_element(
    data: Sequence[str],
    *,
    sizes: dict[str, int],
    shape: tuple[int, int],
    order: str = "XYZCT",
    name: str = "",
    extra: str = "",
) -> str:
    """An Image element of planes of uint16; sizes are those of Z, C and T."""
    counts = "".join(f' Size{letter}="{sizes.get(letter, 1)}"' for letter in "ZCT")
    channels = "".join(
        f'<Channel ID="Channel:0:{number}" SamplesPerPixel="1"/>'
        for number in range(sizes.get("C", 1))
    )
    return (
        f'<Image ID="Image:0" Name="{name}"><Pixels ID="Pixels:0" DimensionOrder="{order}" '
        f'Type="uint16" SizeX="{shape[1]}" SizeY="{shape[0]}"{counts} {extra}>{channels}'
        f"{''.join(data)}</Pixels></Image>"
    )


def document(*images: str, own: str | None = None) -> str:
    """OME-XML; ``own`` is the file that it goes into."""
    uuid = "" if own is None else f' UUID="{uuid_of(own)}"'
    return f'<OME xmlns="{SCHEMA}"{uuid}>{"".join(images)}</OME>'


def binary_only(master: str, own: str) -> str:
    """What a file says whose description is in another one."""
    return (
        f'<OME xmlns="{SCHEMA}" UUID="{uuid_of(own)}">'
        f'<BinaryOnly MetadataFile="{master}" UUID="{uuid_of(master)}"/></OME>'
    )


def write_pages(
    path: Path, pages: Array, xml: str | None, *, byteorder: str = "<", **settings: Any
) -> None:
    """A file of pages, the first with a description."""
    with tifffile.TiffWriter(path, byteorder=byteorder) as file:
        for number, page in enumerate(pages.reshape(-1, *pages.shape[-2:])):
            file.write(
                page,
                photometric="minisblack",
                contiguous=False,
                metadata=None,
                description=xml if number == 0 else None,
                **settings,
            )


def write_time_series(
    folder: Path, array: Array, *, described: Sequence[int] | None = None, **settings: Any
) -> list[Path]:
    """T×Y×X, a file a time point, each with the whole description (or those that are listed)."""
    names = [f"t{number}.ome.tif" for number in range(len(array))]
    data = [tiff_data(name, T=number) for number, name in enumerate(names)]
    element = image_element(data, sizes={"T": len(array)}, shape=array.shape[-2:])
    for number, name in enumerate(names):
        whole = described is None or number in described
        xml = document(element, own=name) if whole else binary_only(names[described[0]], name)
        write_pages(folder / name, array[number], xml, **settings)
    return [folder / name for name in names]


def stack_of(*shape: int) -> Array:
    """Pixels that are all different, as far as 16 bits go."""
    return np.arange(1, np.prod(shape) + 1).reshape(shape).astype("uint16")
