"""What has become of tiles, against a list that is changed one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.widgets.grid.tile_states import (
    DONE,
    FAILED,
    RUNNING,
    SKIPPED,
    STATE_NAMES,
    WAITING,
    TileStates,
    together,
)

N = 12
SOME = st.sets(st.integers(0, N - 1))


@given(
    skipped=SOME,
    begun=SOME,
    steps=st.lists(st.one_of(st.tuples(SOME, SOME, SOME), SOME), max_size=6),
)
def test_states_counts_and_changes_go_together(
    skipped: set[int], begun: set[int], steps: list[tuple[set[int], ...] | set[int]]
) -> None:
    states = TileStates(N, np.isin(np.arange(N), list(skipped)), begun)
    expected = [SKIPPED if i in skipped else DONE if i in begun else WAITING for i in range(N)]
    for step in steps:
        before = states.values.copy()
        if isinstance(step, tuple):
            finished, running, failed = step
            changed = states.mark(finished, running, failed)
        else:
            finished, running, failed = step, set(), set()
            changed = states.set_done(step)
        for i, state in enumerate(expected):
            if state == SKIPPED:
                continue
            if isinstance(step, set):
                expected[i] = DONE if i in step else WAITING if state == DONE else state
            elif i in finished:
                expected[i] = DONE
            elif i in failed and i not in running:
                expected[i] = FAILED
            elif i in running and (state != DONE or i in failed):
                expected[i] = RUNNING
            elif state == RUNNING:
                expected[i] = WAITING
        assert states.values.tolist() == expected
        assert states.counts == tuple(expected.count(s) for s in range(len(STATE_NAMES)))
        assert changed.tolist() == np.flatnonzero(before != states.values).tolist()
        assert set(states.running) == {i for i, s in enumerate(expected) if s == RUNNING}


def test_what_failed_stays_so_until_it_is_tried_again() -> None:
    states = TileStates(3)
    states.mark((0,), (1, 2))
    states.mark((), (), failed=(1, 2))
    states.mark((), ())
    assert states.values.tolist() == [DONE, FAILED, FAILED]
    states.mark((), (1,))
    states.mark((1,), ())
    assert states.values.tolist() == [DONE, DONE, FAILED]


def test_nobody_else_changes_them() -> None:
    with pytest.raises(ValueError, match="read-only"):
        TileStates(3).values[0] = DONE


@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=9))
def test_tiles_seen_together(columns: list[list[int]]) -> None:
    seen = together(np.array(columns, np.uint8).T)
    for column, state in zip(columns, seen, strict=True):
        if FAILED in column:
            assert state == FAILED
        elif RUNNING in column:
            assert state == RUNNING
        elif WAITING in column:
            assert state == WAITING
        else:
            assert state == (DONE if DONE in column else SKIPPED)
