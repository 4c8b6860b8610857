"""Microscopes' own formats (CZI, ND2, LIF and others), read with bioio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from napari_tessera.axes import AXES
from napari_tessera.stacks.array import ArrayStack, Index
from napari_tessera.stacks.checks import at_level, check_level, error_line, not_there
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.reading.block_pixels import UnreadableBlockError
from napari_tessera.stacks.reading.single_axes import WithoutAxes, choose_axes

try:
    from bioio_base.reader import Reader

    from napari_tessera.stacks.bioio.metadata import scene_letters, scene_metadata
    from napari_tessera.stacks.bioio.pixels import coarse_reader, open_pixels
    from napari_tessera.stacks.bioio.readers import (
        find_reader,
        find_scene,
        scene_names,
        scene_source,
    )
except ImportError as error:
    raise ImportError(
        "this format is read with bioio (its reader for CZI is under the GPL 3), which is not "
        "installed: "
        'pip install "napari-tessera[bioio]"'
    ) from error


class BioioStack(ArrayStack):
    """One scene of a file that a reader plugin of bioio opens.

    Planes, or whatever the reader reads at once, are decoded whole and kept for neighbouring
    patches, 64 MiB at most. Readers open the file anew for every plane: between reads no file
    is open.

    Parameters
    ----------
    path : str or path
        The file.
    scene : str or int, optional
        Which scene, by name or number; by default the only one.
    axes : str, optional
        One letter per axis. By default those of T, C, Z, Y, X that have more than one entry; the
        samples of RGB are C. Letters for these, or for all dimensions of the file, can be given
        instead, so that time may be depth.
    channels : sequence of int, optional
        The channels that the stack consists of.
    level : int, optional
        Resolution level; 0 is the full size.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StackReadError
        If the file is damaged.
    ValueError
        If no reader is installed for the format, no scene is named and there are several, or
        scene, axes, channels, level or the type of the pixels do not go with the file.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        scene: str | int | None = None,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        resolved = Path(path).resolve()
        if not resolved.exists():
            raise not_there(resolved)
        kind = find_reader(resolved)
        with _naming(resolved):
            reader, chunkable = coarse_reader(kind, resolved)
            names = scene_names(reader, resolved)
        number = find_scene(names, resolved, None if scene == "" else scene)
        source = scene_source(names, resolved, number)
        with _naming(resolved):
            listed = len(reader.scenes) == len(names)
            reader.set_scene(number if listed else 0)
            levels = reader.resolution_levels
        check_level(source, level, len(levels))

        def reopen(chunk_dims: list[str]) -> Reader:
            again = kind(resolved, chunk_dims=chunk_dims)
            again.set_scene(number if listed else 0)
            again.set_resolution_level(level)
            return again

        with _naming(resolved):
            reader.set_resolution_level(level)
            pixels, known = open_pixels(reader, chunkable, reopen)
        dims = tuple(map(str, known.dims))
        if number and resolved.suffix.lower() == ".czi":
            from napari_tessera.stacks.bioio.czi_scenes import scene_pixels

            scene_own = scene_pixels(resolved, number, listed)
            if scene_own is not None:
                pixels, dims = scene_own, tuple(scene_own.dims)
        self._pixels = pixels
        self._origins = (resolved,)
        letters = scene_letters(dims, pixels.shape, source)
        kept, axes = choose_axes(letters, pixels.shape, axes)
        own = {letters[at]: dims[at] for at in kept if letters[at] in AXES}
        super().__init__(
            WithoutAxes(pixels, kept),
            axes,
            source=at_level(source, level),
            channels=channels,
            metadata=scene_metadata(reader, known, own).renamed(axes),
        )
        self.n_levels = len(levels)

    @property
    def origins(self) -> tuple[Path, ...]:
        """The file."""
        return self._origins

    def close(self) -> None:
        """Forget what was decoded; no file is open between reads."""
        super().close()
        self._pixels.close()

    def _reason(self, index: Index, error: Exception) -> str:
        return str(error) if isinstance(error, UnreadableBlockError) else error_line(error)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in whatever a reader raises: they have errors of all kinds, without names."""
    try:
        yield
    except (FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:
        raise StackReadError(f"{path} cannot be opened: {error_line(error)}") from error
