"""Files of microscopes' formats: CZI by Zeiss' library, DV by mrc, LIF by hand (ND2: nd2_files)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mrc
import numpy as np
from numpy.typing import NDArray
from pylibCZIrw import czi

Array = NDArray[Any]

_SEGMENT_HEADER = 32
_METADATA_POSITION = 92
_XML_START = 256


def random_image(*shape: int, dtype: str = "uint16") -> Array:
    """Pixels none of which is 0."""
    return np.random.default_rng(0).integers(1, 250, shape).astype(dtype)


def write_czi(
    path: Path,
    scenes: Sequence[Array],
    names: Sequence[str] = (),
    channels: Sequence[str] = (),
    tile: tuple[int, int] | None = None,
    steps: Mapping[str, float] | None = None,
    compression: str = "uncompressed:",
) -> None:
    """Write images (T, C, Z, Y, X), one a scene, in tiles if their size is given.

    Steps are in meters. Without names the metadata lists no scenes, as pylibCZIrw leaves it.
    """
    with czi.create_czi(str(path), compression_options=compression) as file:
        left = 0
        for number, image in enumerate(scenes):
            height, width = image.shape[3:5]
            rows, columns = tile or (height, width)
            own = {"scene": number} if len(scenes) > 1 else {}
            for t, c, z in np.ndindex(image.shape[:3]):
                for y in range(0, height, rows):
                    for x in range(0, width, columns):
                        block = image[t, c, z, y : y + rows, x : x + columns]
                        plane = {"T": t, "C": c, "Z": z}
                        file.write(block, plane=plane, location=(left + x, y), **own)
            left += width + 10
        scale = {f"scale_{letter}": step for letter, step in (steps or {}).items()}
        file.write_metadata(path.stem, channel_names=dict(enumerate(channels)) or None, **scale)
    if names:
        list_scenes(path, names)


def list_scenes(path: Path, names: Sequence[str]) -> None:
    """Name the scenes in the metadata, as ZEN does: a new segment with it ends the file.

    Segments and their headers as in Zeiss' "CZI file format specification".
    """
    content = path.read_bytes()
    (at,) = struct.unpack_from("<q", content, _METADATA_POSITION)
    (size,) = struct.unpack_from("<i", content, at + _SEGMENT_HEADER)
    begin = at + _SEGMENT_HEADER + _XML_START
    document = ElementTree.fromstring(content[begin : begin + size])
    image = document.find("./Metadata/Information/Image")
    assert image is not None
    scenes = ElementTree.SubElement(
        ElementTree.SubElement(ElementTree.SubElement(image, "Dimensions"), "S"), "Scenes"
    )
    for number, name in enumerate(names):
        ElementTree.SubElement(scenes, "Scene", Index=str(number), Name=name)
    xml = ElementTree.tostring(document)
    length = _XML_START + len(xml)
    segment = struct.pack("<16sqqii", b"ZISRAWMETADATA", length, length, len(xml), 0)
    segment = segment.ljust(_SEGMENT_HEADER + _XML_START, b"\0") + xml
    with path.open("r+b") as file:
        file.seek(_METADATA_POSITION)
        file.write(struct.pack("<q", len(content)))
        file.seek(0, 2)
        file.write(segment)


def subblock_data(path: Path, number: int) -> tuple[int, int]:
    """Position and size of the pixels of a subblock of a CZI file, in the order of the file."""
    content = path.read_bytes()
    at = -1
    for _ in range(number + 1):
        at = content.index(b"ZISRAWSUBBLOCK\0", at + 1)
    metadata, _, size = struct.unpack_from("<iiq", content, at + _SEGMENT_HEADER)
    (dimensions,) = struct.unpack_from("<i", content, at + _SEGMENT_HEADER + 16 + 28)
    entry = 32 + 20 * dimensions
    return at + _SEGMENT_HEADER + max(256, 16 + entry) + metadata, size


def write_dv(path: Path, image: Array, steps: Sequence[float]) -> None:
    """Write an image (T, Z, Y, X) with its steps along X, Y and Z in µm."""
    mrc.imsave(str(path), image, resolution=tuple(steps), zAxisOrder="tz")


def write_lif(path: Path, scenes: Mapping[str, Array], steps: Mapping[str, float]) -> None:
    """Write images (T, C, Z, Y, X) of 8 or 16 bits, one a name, with steps in meters.

    The layout is that of Leica's "Image File Formats - LIF" 3.2: XML, then the pixels of each
    image as one block of memory, channels outermost after time.
    """
    blocks = {f"MemBlock_{number}": image for number, image in enumerate(scenes.values())}
    elements = "".join(
        _lif_element(name, block, image, steps)
        for (name, image), block in zip(scenes.items(), blocks, strict=True)
    )
    xml = (
        f'<LMSDataContainerHeader Version="2"><Element Name="{path.name}" Visibility="1">'
        f'<Data/><Memory Size="0" MemoryBlockID="MemBlock_x"/><Children>{elements}</Children>'
        "</Element></LMSDataContainerHeader>"
    ).encode("utf-16-le")
    with path.open("wb") as file:
        file.write(struct.pack("<IIBI", 0x70, len(xml) + 5, 0x2A, len(xml) // 2) + xml)
        for block, image in blocks.items():
            name = block.encode("utf-16-le")
            header = struct.pack(
                "<IIBQBI", 0x70, len(name) + 14, 0x2A, image.nbytes, 0x2A, len(name) // 2
            )
            file.write(header + name + np.ascontiguousarray(image).tobytes())


def _lif_element(name: str, block: str, image: Array, steps: Mapping[str, float]) -> str:
    size, bits = image.itemsize, 8 * image.itemsize
    times, channels, planes, height, width = image.shape
    strides = dict(zip("TCZYX", image.strides, strict=True))
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{bits}" Min="0" Max="1" '
        f'NameOfMeasuredQuantity="" Unit="" LUTName="{("Green", "Red", "Blue")[c % 3]}" '
        f'IsLUTInverted="0" BytesInc="{c * strides["C"]}" BitInc="0"/>'
        for c in range(channels)
    )
    sizes = {"X": width, "Y": height, "Z": planes, "T": times}
    dimensions = "".join(
        f'<DimensionDescription DimID="{number}" NumberOfElements="{sizes[letter]}" Origin="0" '
        f'Length="{steps.get(letter, 1) * (sizes[letter] - 1)}" '
        f'Unit="{"s" if letter == "T" else "m"}" BitInc="0" '
        f'BytesInc="{size if letter == "X" else strides[letter]}"/>'
        for number, letter in enumerate("XYZT", start=1)
        if sizes[letter] > 1
    )
    return (
        f'<Element Name="{name}" Visibility="1"><Data><Image TextDescription="">'
        f"<ImageDescription><Channels>{described}</Channels>"
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{image.nbytes}" MemoryBlockID="{block}"/><Children/></Element>'
    )
