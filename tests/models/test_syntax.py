"""Code of model files is parsed from any thread."""

from __future__ import annotations

import ast
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from napari_tessera.models.syntax import parsed_expression, parsed_module


def _let_others(phase: str, info: Any) -> None:
    time.sleep(1e-4)


def test_trees_made_in_many_threads() -> None:
    """Where they are made at the same time, without a lock, Python 3.11 fails some of these."""
    text = "\n".join(f"a{n} = f({n}, b[{n}:], c.d.e)" for n in range(100))
    wanted = ast.dump(ast.parse(text))
    threshold = gc.get_threshold()
    # a collection lets other threads go on in the middle of a tree
    gc.callbacks.append(_let_others)
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(4) as pool:
            trees = list(pool.map(parsed_module, [text] * 100))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(_let_others)
    assert all(ast.dump(tree) == wanted for tree in trees)


def test_what_is_no_python() -> None:
    with pytest.raises(SyntaxError):
        parsed_module("a = (")
    with pytest.raises(SyntaxError):
        parsed_expression("a = 1")
    assert ast.dump(parsed_expression("a + 1")) == ast.dump(ast.parse("a + 1", mode="eval").body)
