"""Zarr stores that lie in one ZIP file."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import zarr
from zarr.errors import NodeNotFoundError
from zarr.storage import ZipStore

from napari_tessera.stacks.checks import one_line
from napari_tessera.stacks.zarr import ZarrStack
from napari_tessera.stacks.zarr_nodes import Node, quiet_zarr


class ZippedZarrStack(ZarrStack):
    """A Zarr array, or a level of an OME-Zarr image, in a ZIP file.

    Parameters
    ----------
    path : str or path
        The ZIP file; the store's outermost group or array is at its root.
    inner : str, optional
        Path of the array or image in the store, where it holds several.
    axes, channels, level
        As for `ZarrStack`.

    Raises
    ------
    FileNotFoundError, ValueError
        As `ZarrStack`.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        inner: str | None = None,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        resolved = Path(path).resolve()
        within = (inner or "").strip("/")
        store = ZipStore(resolved, mode="r", read_only=True)
        try:
            node = _open(store, resolved, within)
            super().__init__(node, axes, channels=channels, level=level)
        except BaseException:
            store.close()
            raise
        at = self._array.path
        self.source = f"{resolved}#/{at}" if at else str(resolved)
        # a stack that is dropped without close() must not leave its file open
        self._release = weakref.finalize(self, store.close)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._release()


def _open(store: ZipStore, path: Path, within: str) -> Node:
    try:
        with quiet_zarr():
            return zarr.open(store, mode="r", path=within)
    except (NodeNotFoundError, FileNotFoundError):
        raise FileNotFoundError(f"{path} holds no Zarr array or group {within!r}") from None
    except Exception as error:
        raise ValueError(f"{path} cannot be opened as Zarr: {one_line(error)}") from error
