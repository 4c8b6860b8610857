"""What is said of a store that is in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
import zarr

from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.stored.targets import check_target


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.ome.zarr"
    ome = {"version": "0.5", "multiscales": [{"datasets": [{"path": "0"}]}]}
    group = zarr.create_group(path, attributes={"ome": ome})
    group.create_array("0", shape=(4, 4), chunks=(4, 4), dtype="u1")
    return path


@pytest.mark.parametrize("asked", [{}, {"resume": True}, {"overwrite": True}], ids=str)
def test_one_that_is_being_written_says_so_whatever_is_asked(
    image: Path, asked: dict[str, bool]
) -> None:
    with lock_store(image), pytest.raises(StoreBusyError, match="is being written by"):
        check_target(image, **asked)


@pytest.mark.parametrize("asked", [{}, {"resume": True}, {"overwrite": True}], ids=str)
def test_overwriting_is_offered_only_where_it_is_done(image: Path, asked: dict[str, bool]) -> None:
    if not asked.get("overwrite"):
        with pytest.raises(FileExistsError, match="overwrite it"):
            check_target(image, **asked)
    else:
        check_target(image, **asked)
    (image / "zarr.json").write_text("{")
    with pytest.raises(
        FileExistsError, match=r"cannot be read .*never replaced: choose another"
    ) as it:
        check_target(image, **asked)
    assert "overwrite it" not in str(it.value)
