from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import zarr
from zarr.storage import MemoryStore

from napari_tessera.stacks import ArrayStack, SampleView, open_stack
from napari_tessera.stacks.absent import absent_chunks, absent_text, fill_text


def test_one_line_with_count_name_and_fill_value() -> None:
    stack = SimpleNamespace(source="/data/a.zarr", fill_value=np.float32(np.nan))
    assert absent_text(stack, 0) == ""
    assert absent_text(stack, 1) == (
        "1 chunk of /data/a.zarr is not in the store and was read as the fill value nan"
    )
    assert absent_text(stack, 1234, "cells") == (
        "1,234 chunks of cells are not in the store and were read as the fill value nan"
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
