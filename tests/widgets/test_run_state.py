from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from napari_tessera.widgets.run_state import (
    BUSY,
    CHANGES,
    DONE,
    FAILED,
    IDLE,
    PLANNING,
    PREVIEW,
    RESTING,
    RUNNING,
    STATES,
    STOPPED,
    STOPPING,
    WRITING,
    ImpossibleChangeError,
    RunState,
)


def brought_to(state: str) -> RunState:
    """A state reached by changes that are allowed."""
    ways = {
        IDLE: [],
        PREVIEW: [PREVIEW],
        PLANNING: [PLANNING],
        RUNNING: [PLANNING, RUNNING],
        WRITING: [PLANNING, RUNNING, WRITING],
        STOPPING: [PLANNING, STOPPING],
        STOPPED: [PLANNING, STOPPED],
        DONE: [PLANNING, DONE],
        FAILED: [PLANNING, FAILED],
    }
    machine = RunState(lambda state: None)
    for step in ways[state]:
        machine.to(step)
    return machine


@given(st.sampled_from(STATES), st.sampled_from(STATES))
def test_only_listed_changes_happen(before: str, after: str) -> None:
    machine = brought_to(before)
    if after == before or after in CHANGES[before]:
        machine.to(after)
        assert machine.now == after
    else:
        with pytest.raises(ImpossibleChangeError, match=f"from {before} to {after}"):
            machine.to(after)
        assert machine.now == before


def test_the_table_names_every_state_and_a_way_out_of_each() -> None:
    assert set(CHANGES) == set(STATES)
    assert set().union(*CHANGES.values()) == set(STATES)
    for state in STATES:
        seen, todo = {state}, [state]
        while todo:
            todo += [new for new in CHANGES[todo.pop()] - seen if not seen.add(new)]  # type: ignore[func-returns-value]
        assert PLANNING in seen
        assert seen & set(RESTING)


def test_nothing_runs_twice() -> None:
    for state in BUSY:
        assert PREVIEW not in CHANGES[state]
        with pytest.raises(ImpossibleChangeError, match="nothing runs beside"):
            brought_to(state).begin_beside()


def test_nobody_is_told_of_no_change() -> None:
    told: list[str] = []
    machine = RunState(told.append)
    machine.to(IDLE)
    machine.to(PLANNING)
    machine.to(PLANNING)
    assert told == [PLANNING]


def test_what_is_abandoned_rests_without_a_word() -> None:
    told: list[str] = []
    machine = RunState(told.append)
    machine.to(PLANNING)
    machine.abandon()
    assert machine.now == IDLE
    assert told == [PLANNING]


class Machine(RuleBasedStateMachine):
    """Whatever happens: what runs beside something ends in what was before."""

    @initialize()
    def make(self) -> None:
        self.told: list[str] = []
        self.state = RunState(self.told.append)
        self.rests_in: str | None = None

    @rule(state=st.sampled_from(STATES))
    def change(self, state: str) -> None:
        before = self.state.now
        if state in RESTING and self.rests_in is not None and before not in RESTING:
            self.state.to(state)
            assert self.state.now == self.rests_in
            self.rests_in = None
        elif self.rests_in is None and (state == before or state in CHANGES[before]):
            self.state.to(state)

    @precondition(lambda self: self.state.now in RESTING and self.rests_in is None)
    @rule(first=st.sampled_from([PREVIEW, PLANNING]))
    def beside(self, first: str) -> None:
        self.rests_in = self.state.now
        self.state.begin_beside()
        self.state.to(first)

    @precondition(lambda self: self.state.now == PREVIEW)
    @rule()
    def take_over(self) -> None:
        self.rests_in = None
        self.state.take_over()
        self.state.to(PLANNING)

    @invariant()
    def says_what_it_is(self) -> None:
        now = self.state.now
        assert self.state.busy == (now in BUSY)
        assert self.state.beside == (self.rests_in is not None)
        assert self.state.resting == (self.rests_in or now)
        assert not self.told or self.told[-1] == now


TestMachine = Machine.TestCase
