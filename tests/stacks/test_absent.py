from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr
from zarr.storage import MemoryStore

from napari_tessera.stacks import ArrayStack, SampleView, ZarrStack, open_stack
from napari_tessera.stacks.absent import absent_chunks, absent_text, fill_text


def test_one_line_with_count_name_and_fill_value(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    stored = zarr.create_array(
        path, shape=(48, 48), chunks=(1, 1), dtype="f4", fill_value=np.nan, compressors=None
    )
    stored[0, 0] = 1
    with open_stack(path, "YX") as stack:
        assert isinstance(stack, ZarrStack)
        texts = []
        for size in ((1, 1), (1, 2), (30, 42)):
            patch = stack.extract_patch(0, None, (0, 0), size)
            assert np.isnan(patch).sum() == stack.absent_chunks
            texts.append(absent_text(stack, absent_chunks(stack)))
        assert texts == [
            "",
            f"1 chunk of {path} is not in the store and was read as the fill value nan",
            f"1,259 chunks of {path} are not in the store and were read as the fill value nan",
        ]
        assert absent_text(stack, absent_chunks(stack), "cells") == (
            "1,259 chunks of cells are not in the store and were read as the fill value nan"
        )


def test_of_any_stack() -> None:
    array = zarr.create_array(MemoryStore(), shape=(8, 8), chunks=(4, 4), dtype="u2", fill_value=9)
    stack = open_stack(array, "YX")
    stack.extract_patch(0, None, (0, 0), (4, 5))
    view = SampleView(SampleView(stack, "Z"), "C")
    for seen in (stack, view):
        assert absent_chunks(seen) == 2
        assert fill_text(seen) == "the fill value 9"
    plain = ArrayStack(np.ones((4, 4)), "YX")
    assert absent_chunks(plain) == 0
    assert fill_text(plain) == "the fill value"
