"""Processes that die in the middle of a write, and what is left to go on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_tessera.writing import WriteTilesZarr, read_unfinished
from napari_tessera.writing.places.removal import remove_leftovers

from ..dying import die_at_write

WORK = """
image = TiledImage("ZYX", (3, 61, 47), (24, 24), (8, 8), fold="Z")
writer = WriteTilesZarr(path, chunks=(20, 30))
writer.open(image.run(resume=path.exists()))
for tile in image.tiles():
    writer.write_batch(path.parent, [tile])
"""


@pytest.mark.slow
def test_runs_killed_in_the_middle_of_a_write_go_on_to_the_same_bytes(
    tmp_path: Path, tiled_image: Any, hashes: Any
) -> None:
    image = tiled_image("ZYX", (3, 61, 47), (24, 24), (8, 8), fold="Z")
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    path = tmp_path / "killed" / "x.ome.zarr"
    # how often the ledger is written is not known to the write: chunks alone are as many
    for n_writes in (1, 3, 17, 11):
        die_at_write(WORK, path, n_writes)
        assert any(path.rglob("*.partial"))
    stored = read_unfinished(path)
    assert stored is not None
    assert 0 < len(stored.done) < image.n_tiles

    for target, resume in ((path, True), (tmp_path / "whole" / "x.ome.zarr", False)):
        writer = WriteTilesZarr(target, chunks=(20, 30))
        writer.open(image.run(resume=resume))
        writer.write_batch(tmp_path, image.tiles())
        writer.close(completed=True)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")
    assert remove_leftovers(path) == 0
