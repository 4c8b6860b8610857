"""ND2 files of version 2, by hand: no library writes them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x0ABECEDA
_BLOCK = 4096
_TIME_BYTES = 8
_SIGNATURE = b"ND2 FILE SIGNATURE CHUNK NAME01!"
_MAP_NAME = b"ND2 FILEMAP SIGNATURE NAME 0001!"
_MAP_END = b"ND2 CHUNK MAP SIGNATURE 0000001!"
_TIME_LOOP, _Z_LOOP = 1, 4


def write_nd2(
    path: Path,
    image: NDArray[Any],
    channels: Sequence[str],
    pixel: float,
    plane: float,
    milliseconds: float,
) -> None:
    """Write an image (T, Z, Y, X, C); a frame holds the channels of a plane, side by side.

    Pixel size and distance of planes are in µm. All is in chunks with a name, listed in a map at
    the file's end; metadata are XML, and pixels begin on a block of 4096 bytes.
    """
    times, planes, height, width, components = image.shape
    frames = image.reshape(-1, height, width, components)
    bits = 8 * image.itemsize
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": width * components * image.itemsize,
        "uiHeight": height,
        "uiComp": components,
        "uiBpcInMemory": bits,
        "uiBpcSignificant": bits,
        "uiSequenceCount": len(frames),
        "eCompression": 2,
    }
    # readers take it for granted that something is known of the dye
    line = {"uiCount": 1, "pPoint": {"Point0": {"dTValue": 1.0, "dWavelength": 488.0, "eType": 4}}}
    dye = {"pFluorescentProbe": {"m_ExcitationSpectrum": line, "m_EmissionSpectrum": line}}
    named = {
        f"a{at}": {"uiCompCount": 1, "sDescription": name, **dye}
        for at, name in enumerate(channels)
    }
    picture = {
        "bCalibrated": True,
        "dCalibration": pixel,
        "sPicturePlanes": {"uiCount": components, "sPlaneNew": named},
    }
    step = {"uiCount": planes, "dZStep": plane, "dZLow": 0.0, "dZHigh": plane * (planes - 1)}
    pace = {
        "uiCount": times,
        "dStart": 0.0,
        "dPeriod": milliseconds,
        "dDuration": milliseconds * times,
        "dAvgPeriodDiff": milliseconds,
    }
    inner = {"eType": _Z_LOOP, "uLoopPars": step}
    loops = {"eType": _TIME_LOOP, "uLoopPars": pace, "ppNextLevelEx": {"i0000000000": inner}}
    chunks = {
        b"ImageAttributes!": _xml(attributes),
        b"ImageMetadataSeq|0!": _xml(picture),
        b"ImageMetadata!": _xml(loops),
        b"CustomData|AcqTimesCache!": (np.arange(len(frames)) * milliseconds).tobytes(),
    }
    for number, frame in enumerate(frames):
        chunks[f"ImageDataSeq|{number}!".encode()] = bytes(_TIME_BYTES) + frame.tobytes()
    listed = b""
    with path.open("wb") as file:
        file.write(struct.pack("<IIQ32s64s", _MAGIC, 32, 64, _SIGNATURE, b"Ver2.0"))
        for name, data in chunks.items():
            file.write(bytes(-file.tell() % _BLOCK))
            listed += name + struct.pack("<QQ", file.tell(), len(data))
            file.write(_chunk(name, data))
        at = file.tell()
        end = _MAP_END + struct.pack("<Q", at)
        file.write(_chunk(_MAP_NAME, listed + end))


def _chunk(name: bytes, data: bytes) -> bytes:
    """A chunk whose data, after the time of a frame, begin on a block if the chunk does."""
    room = _BLOCK - struct.calcsize("<IIQ") - _TIME_BYTES
    return struct.pack("<IIQ", _MAGIC, room, len(data)) + name.ljust(room, b"\0") + data


def _xml(values: Mapping[str, Any]) -> bytes:
    inside = "".join(_element(name, value) for name, value in values.items())
    listed = f'<no_name runtype="CLxListVariant">{inside}</no_name>'
    return f'<variant version="1.0">{listed}</variant>'.encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inside = "".join(_element(key, item) for key, item in value.items())
        return f'<{name} runtype="CLxListVariant">{inside}</{name}>'
    kinds = {bool: "bool", int: "lx_uint32", float: "double", str: "CLxStringW"}
    text = str(value).lower() if isinstance(value, bool) else value
    return f'<{name} runtype="{kinds[type(value)]}" value="{text}"/>'
