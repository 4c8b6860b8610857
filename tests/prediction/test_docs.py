"""The page on saving: what it says of formats and numbers is so."""

from __future__ import annotations

import pytest

from napari_tessera.stacks.zarr.retrying import DELAYS
from napari_tessera.writing import FORMATS
from napari_tessera.writing.chunks.assembler import DEFAULT_MEMORY_LIMIT
from napari_tessera.writing.chunks.chunking import (
    LARGEST_CHUNK,
    MANY_CHUNKS,
    ROW_BYTES,
    SHARD_BYTES,
    SMALLEST_CHUNK,
    choose_chunking,
)
from napari_tessera.writing.files.ome_tiff import NAMESPACE
from napari_tessera.writing.places.heartbeat import BEAT_SECONDS, HEARTBEAT, STALE_SECONDS
from napari_tessera.writing.stored.block_choice import MOST_BLOCKS, MOST_TILES
from napari_tessera.writing.stored.block_ledger import BLOCKS_NAME
from napari_tessera.writing.stored.image_run import MOST_UNSAVED
from napari_tessera.writing.stored.ledger import LEDGER_NAME


@pytest.fixture
def page(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "docs" / "saving.md").read_text(encoding="utf-8")


def test_the_formats_on_the_page_are_those_there_are(page: str) -> None:
    for known in FORMATS:
        for ending in known.endings:
            assert f"`{ending}`" in page
        assert ", ".join(known.compressions) in page


def test_the_numbers_on_the_page(page: str) -> None:
    plain = " ".join(page.split())
    assert f"more than {MANY_CHUNKS:,} chunks has shards of about {SHARD_BYTES >> 20} MiB" in plain
    assert f"{SMALLEST_CHUNK >> 10} KiB to {LARGEST_CHUNK >> 20} MiB" in plain
    assert f"({DEFAULT_MEMORY_LIMIT >> 20} MiB)" in plain
    assert DELAYS == (0.5, 2.0, 8.0)
    assert "after 0.5, 2 and 8 seconds" in plain
    assert f"every {BEAT_SECONDS:.0f} seconds" in plain
    assert f"after {STALE_SECONDS / 60:.0f} minutes" in plain
    assert f"There are {MOST_BLOCKS:,} blocks at most" in plain
    assert f"more than about {MOST_TILES:,} tiles in a block" in plain
    for name in (HEARTBEAT, LEDGER_NAME, BLOCKS_NAME, NAMESPACE):
        assert name in page
    plane = choose_chunking("YX", (100_000, 100_000), {"Y": 400, "X": 400}, "float32")
    assert (plane.chunks, plane.shards) == ((256, 1024), (256, 14_336))
    assert f"{-(-100_000 // 256) * -(-100_000 // 14_336):,} files of 256 × 14,336 pixels" in plain
    assert f"row of chunks across a plane is more than {ROW_BYTES >> 20} MiB" in plain
    assert f"up to {MOST_UNSAVED} that were written last" in plain
