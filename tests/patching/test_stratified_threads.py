"""Stratified patches asked for by several threads, and copies of the strategy."""

from __future__ import annotations

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import ceil
from threading import Event
from typing import Any

import numpy as np
import pytest

from napari_tessera.patching import StratifiedPatching

from .shapes import specs_of


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_copy_goes_on_by_itself(copied: Any) -> None:
    patching = StratifiedPatching([(2, 1, 37, 52)], (8, 8), seed=0)
    patching.exclude_patches(0, 0, [(1, 1)])
    specs_of(patching)
    other = copied(patching)
    assert specs_of(other) == specs_of(patching)
    other.exclude_patches(0, 0, [(2, 2)])
    assert other.n_patches == patching.n_patches - 1


def test_copies_are_made_while_regions_are_changed() -> None:
    patching = StratifiedPatching([(1000, 1, 64, 64)], (8, 8), seed=0)
    done = Event()

    def change() -> None:
        for sample_idx in range(1000):
            patching.exclude_patches(0, sample_idx, [(1, 1)])
            patching.get_patch_spec(0)
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(3) as pool:
            changing = pool.submit(change)
            while not done.is_set():
                for copied in (copy.deepcopy(patching), pickle.loads(pickle.dumps(patching))):
                    assert 63_000 <= copied.n_patches <= 64_000
            changing.result()
    finally:
        sys.setswitchinterval(interval)


def test_threads_draw_while_regions_are_excluded() -> None:
    patching = StratifiedPatching([(4, 1, 64, 64)], (8, 8), seed=0)
    gone = [Event() for _ in range(8)]
    done = Event()

    def draw(number: int) -> int:
        rng = np.random.default_rng(number)
        n_drawn = 0
        while n_drawn < 200 or not done.is_set():
            rows_gone = [row for row, event in enumerate(gone) if event.is_set()]
            # The number of patches may fall between the two calls.
            try:
                spec = patching.get_patch_spec(int(rng.integers(patching.n_patches)))
            except IndexError:
                continue
            n_drawn += 1
            assert 0 <= spec["sample_idx"] < 4
            top = spec["coords"][0]
            assert all(0 <= x <= 56 for x in spec["coords"])
            assert not any(top < 8 * row + 8 and top + 8 > 8 * row for row in rows_gone)
        return n_drawn

    def exclude(row: int) -> None:
        for sample_idx in range(4):
            patching.exclude_patches(0, sample_idx, [(row, column) for column in range(8)])
        gone[row].set()

    with ThreadPoolExecutor(8) as pool:
        drawing = [pool.submit(draw, number) for number in range(4)]
        for excluding in [pool.submit(exclude, row) for row in (1, 3, 4, 6)]:
            excluding.result()
        done.set()
        assert all(future.result() >= 200 for future in drawing)
    assert patching.n_patches == 4 * 32


def test_exclusions_made_at_once_are_all_kept() -> None:
    patching = StratifiedPatching([(1, 1, 4096, 4096)], (8, 8), seed=0)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for excluding in [
                pool.submit(patching.exclude_patches, 0, 0, [(row, 0)]) for row in range(200)
            ]:
                excluding.result()
    finally:
        sys.setswitchinterval(interval)
    # A region in the middle of the near border weighs (3p − 1)/2p, p being 8; that in the corner
    # its square.
    gone = 199 * Fraction(23, 16) + Fraction(23, 16) ** 2
    assert patching.n_patches == ceil(512 * 512 - gone)
