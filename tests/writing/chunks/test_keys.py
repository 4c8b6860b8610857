from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.writing.chunks.keys import delete_chunks, stored_chunks


def store_of(kind: str, folder: Path) -> Store:
    return LocalStore(folder / "a.zarr") if kind == "folder" else MemoryStore()


@pytest.mark.parametrize("kind", ["folder", "memory"])
@pytest.mark.parametrize("path", ["", "a", "a/b"])
@pytest.mark.parametrize(
    ("version", "options"),
    [
        (3, {}),
        (3, {"shards": (4, 6)}),
        (2, {"chunk_key_encoding": {"name": "v2", "separator": "/"}}),
        (2, {"chunk_key_encoding": {"name": "v2", "separator": "."}}),
    ],
)
def test_chunks_that_are_stored_are_found_and_deleted(
    kind: str, path: str, version: Literal[2, 3], options: dict[str, Any], tmp_path: Path
) -> None:
    store = store_of(kind, tmp_path)
    if path:
        # of a name that begins alike
        zarr.create_array(store, name=f"{path}2", shape=(2, 2), dtype="u1", chunks=(2, 2))[...] = 1
    array = zarr.create_array(
        store,
        name=path,
        shape=(10, 13),
        chunks=(2, 3),
        dtype="uint8",
        fill_value=0,
        zarr_format=version,
        config={"write_empty_chunks": True},
        **options,
    )
    assert stored_chunks(array) == set()
    lengths = array.shards or array.chunks
    array[...] = 7
    counts = [-(-n // length) for n, length in zip(array.shape, lengths, strict=True)]
    assert stored_chunks(array) == set(np.ndindex(*counts))
    gone = (counts[0] - 1, 1)
    delete_chunks(array, [gone])
    assert stored_chunks(array) == set(np.ndindex(*counts)) - {gone}
    expected = np.full(array.shape, 7, np.uint8)
    expected[gone[0] * lengths[0] :, lengths[1] : 2 * lengths[1]] = 0
    np.testing.assert_array_equal(np.asarray(array[...]), expected)
