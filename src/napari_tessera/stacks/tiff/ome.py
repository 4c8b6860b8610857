"""What OME-XML in a TIFF file says: its images, and in which page of which file each plane is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from xml.etree import ElementTree


@dataclass(frozen=True)
class OmePlanes:
    """A TiffData element: planes that follow each other, in pages that follow each other."""

    first: int
    """Number of its first plane in the image."""
    page: int
    """Number of that plane's page in its file."""
    count: int | None
    """How many planes; None for all pages of the file."""
    file: str | None
    """Name of the file as it is written; None for the one with this OME-XML."""


@dataclass(frozen=True)
class OmeImage:
    """One Image element, as far as it matters for reading."""

    name: str
    order: str
    """Axes of the planes, slowest first: ``TCZ``."""
    sizes: tuple[int, ...]
    """Planes along these axes; the samples of a colour plane count as one."""
    planes: tuple[OmePlanes, ...]
    pixels: dict[str, str] = field(repr=False)
    """Attributes of the Pixels element."""
    channel_names: tuple[str, ...] = ()

    @property
    def n_planes(self) -> int:
        """How many planes the image has."""
        return prod(self.sizes)

    def where(self, plane: int) -> tuple[int, str | None] | None:
        """Page and file that are said to hold a plane; None where no element speaks of it."""
        found: OmePlanes | None = None
        for block in self.planes:
            ends = None if block.count is None else block.first + block.count
            if block.first <= plane and (ends is None or plane < ends):
                # a block of unknown length ends where another one begins
                found = block if found is None or block.first >= found.first else found
        return None if found is None else (found.page + plane - found.first, found.file)


@dataclass(frozen=True)
class OmeDescription:
    """A whole OME-XML document."""

    images: tuple[OmeImage, ...]
    uuid: str | None
    """What the file with this document is called in others."""
    master: str | None
    """Name of the file that has the description, where this one holds pixels only."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the other files with pixels, each once."""
        names = (block.file for image in self.images for block in image.planes)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def only_file(self) -> str | None:
        """Name of the one other file that all planes are in; None where they are in no such one."""
        names = {block.file for image in self.images for block in image.planes}
        return names.pop() if len(names) == 1 else None


def read_ome(xml: str, own_name: str) -> OmeDescription | None:
    """Read OME-XML.

    Parameters
    ----------
    xml : str
        The document.
    own_name : str
        Name of the file that it was found in.

    Returns
    -------
    OmeDescription or None
        None where it is no XML, or says things that make no sense.
    """
    try:
        root = ElementTree.fromstring(xml)
        uuid = root.get("UUID")
        master = next((e.get("MetadataFile") for e in root if _tag(e) == "BinaryOnly"), None)
        images = tuple(
            _image(element.get("Name", ""), pixels, uuid, own_name)
            for element in root
            if _tag(element) == "Image"
            for pixels in element
            if _tag(pixels) == "Pixels"
        )
    except (ElementTree.ParseError, KeyError, ValueError):
        return None
    return OmeDescription(images, uuid, master)


def _image(name: str, pixels: ElementTree.Element, uuid: str | None, own_name: str) -> OmeImage:
    order = pixels.attrib["DimensionOrder"][:1:-1]
    channels = [e for e in pixels if _tag(e) == "Channel"]
    samples = int(channels[0].get("SamplesPerPixel", 1)) if channels else 1
    sizes = tuple(
        max(int(pixels.attrib[f"Size{letter}"]) // (max(samples, 1) if letter == "C" else 1), 1)
        for letter in order
    )
    return OmeImage(
        name=name,
        order=order,
        sizes=sizes,
        planes=tuple(_planes(pixels, order, sizes, uuid, own_name)),
        pixels=dict(pixels.attrib),
        channel_names=tuple(e.get("Name", "") for e in channels),
    )


def _planes(
    pixels: ElementTree.Element, order: str, sizes: tuple[int, ...], uuid: str | None, own: str
) -> Iterator[OmePlanes]:
    for data in (e for e in pixels if _tag(e) == "TiffData"):
        at = [int(data.get(f"First{letter}", 0)) for letter in order]
        if not all(0 <= i < size for i, size in zip(at, sizes, strict=True)):
            continue
        first = 0
        for i, size in zip(at, sizes, strict=True):
            first = first * size + i
        count = int(data.get("PlaneCount", data.get("NumPlanes", "IFD" in data.attrib)))
        named = next((e for e in data if _tag(e) == "UUID"), None)
        file = None if named is None else named.get("FileName")
        same = named is not None and uuid is not None and named.text == uuid
        if same or (file is not None and file.lower() == own.lower()):
            file = None
        yield OmePlanes(first, int(data.get("IFD", 0)), count or None, file)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
