"""Which reader plugin of bioio opens a file, and which of its scenes is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast
from xml.etree.ElementTree import Element

from bioio.plugins import PluginEntry, get_plugins
from bioio_base.exceptions import UnsupportedFileFormatError
from bioio_base.reader import Reader

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.protocol import StackReadError

_LISTED = 8
_NOT_SUPPORTED = re.compile(r"\S+( mode\])?\s+does not support the image: '[^']*'\.?")


def find_reader(path: Path) -> type[Reader]:
    """Reader that takes a file, by its suffix and then by its content.

    Raises
    ------
    ValueError
        If none of the plugins that are installed reads such files.
    StackReadError
        If those that do refuse this one; the message says why.
    """
    plugins = list(_plugins_for(path))
    if not plugins:
        known = ", ".join(sorted(get_plugins(use_cache=True))) or "no format"
        raise ValueError(
            f"{path}: no reader of bioio is installed for {path.suffix or 'a name without suffix'} "
            f"(there are for {known}); more are listed at github.com/bioio-devs/bioio"
        )
    reasons = []
    for plugin in plugins:
        reader = cast("type[Reader]", plugin.metadata.get_reader())
        try:
            if reader.is_supported_image(path):
                return reader
            reasons.append(f"{plugin.entrypoint.name} does not take it")
        except Exception as error:
            reasons.append(f"{plugin.entrypoint.name}: {_refusal(error)}")
    raise StackReadError(f"{path} cannot be opened: {'; '.join(reasons)}")


def _refusal(error: Exception) -> str:
    """Why a reader refuses a file, without the file's name and each reason once."""
    if not isinstance(error, UnsupportedFileFormatError):
        return error_line(error)
    said = " ".join(_NOT_SUPPORTED.sub("", str(error)).split())
    parts = dict.fromkeys(part.strip(" .") for part in said.split(","))
    return ", ".join(parts) or "it is of no kind that it reads"


def _plugins_for(path: Path) -> Iterator[PluginEntry]:
    """Plugins that read files of a suffix, in bioio's order."""
    seen = set()
    for suffix, plugins in get_plugins(use_cache=True).items():
        for plugin in plugins if path.name.lower().endswith(suffix) else ():
            if plugin.entrypoint.name not in seen:
                seen.add(plugin.entrypoint.name)
                yield plugin


def scene_names(reader: Reader, path: Path) -> tuple[str, ...]:
    """Names of the scenes of a file; numbers where bioio does not know of all of them.

    bioio-czi takes a CZI file whose metadata lists no scenes to have one, and the others would be
    lost without a word.
    """
    names = tuple(str(name) for name in reader.scenes)
    metadata = reader.metadata if path.suffix.lower() == ".czi" and len(names) == 1 else None
    text = metadata.findtext(".//Information/Image/SizeS") if isinstance(metadata, Element) else ""
    count = int(text) if text and text.isdecimal() else 1
    return names if count <= len(names) else tuple(map(str, range(count)))


def find_scene(names: Sequence[str], path: Path, scene: str | int | None) -> int:
    """Number of the scene that is meant: by name, by number, or the only one.

    Raises
    ------
    ValueError
        If there is no such scene, or none is named and there are several; the message lists them.
    """
    if not names:
        raise ValueError(f"{path} holds no image")
    listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    if scene is None and len(names) == 1:
        return 0
    if scene is None:
        raise ValueError(
            f"{path} holds {len(names)} scenes; name one of them, e.g. {path}#{names[0]}; they are "
            f"{listed}"
        )
    if scene in names:
        return list(names).index(str(scene))
    if (isinstance(scene, int) or scene.isdecimal()) and 0 <= int(scene) < len(names):
        return int(scene)
    raise ValueError(f"{path} has no scene {scene!r}; it has {listed}")


def scene_source(names: Sequence[str], path: Path, number: int) -> str:
    """What a scene is called: the file alone where it is the only one."""
    if len(names) == 1:
        return str(path)
    name = names[number]
    return f"{path}#{name if names.count(name) == 1 else number}"
