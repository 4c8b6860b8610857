"""The place to run at: chosen, typed, asked in a thread, and told beside the field."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from tests.widgets.dask_cluster import Cluster

from napari_tessera.widgets.cluster import scheduler_look
from napari_tessera.widgets.cluster.scheduler_look import SchedulerError, SchedulerLook
from napari_tessera.widgets.fields import run_on as module
from napari_tessera.widgets.fields.line_entry import edit_of
from napari_tessera.widgets.fields.run_on import CLUSTER, HERE, RunOnFields

WAIT_MS = 20_000
NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture
def field(qtbot: QtBot) -> Iterator[RunOnFields]:
    fields = RunOnFields(68)
    qtbot.addWidget(fields)
    fields.show()
    yield fields
    fields.close_down()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What schedulers answer, the last for good, instead of real ones."""
    said: list[Any] = []

    def look(address: str) -> SchedulerLook:
        answer = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(address) if callable(answer) else answer

    monkeypatch.setattr(module, "look_at_scheduler", look)
    return said


def until_told(field: RunOnFields, qtbot: QtBot, text: str) -> None:
    qtbot.waitUntil(lambda: text in field.message.message, timeout=WAIT_MS)


def test_at_first_it_is_this_computer_and_no_address_is_asked_for(field: RunOnFields) -> None:
    assert (field.value, field.used, field.problem) == ("", "", "")
    assert edit_of(field.address).isHidden()
    assert field.message.isHidden()


def test_a_scheduler_is_typed_and_tells_its_workers(
    field: RunOnFields, cluster: Cluster, qtbot: QtBot
) -> None:
    told: list[str] = []
    field.changed.connect(lambda: told.append(field.chosen))
    field.chooser.value = CLUSTER
    edit = edit_of(field.address)
    assert edit.isVisible()
    assert "type the address" in field.problem
    assert edit.property("wrong") == "false", "nothing is wrong before anything is typed"
    qtbot.keyClicks(edit, cluster.address.removeprefix("tcp://"))
    until_told(field, qtbot, "2 workers, 2 threads.")
    assert field.message.level == "good"
    assert field.used == cluster.address
    assert field.problem == ""
    # once for the choice and once for all keys
    assert told == ["", cluster.address]


def test_nothing_waits_for_a_scheduler_that_takes_its_time(
    field: RunOnFields, answers: list[Any], qtbot: QtBot
) -> None:
    go, asked_in = threading.Event(), []

    def slow(address: str) -> SchedulerLook:
        asked_in.append(threading.current_thread())
        assert go.wait(WAIT_MS / 1000)
        return SchedulerLook(3, 12)

    answers.append(slow)
    field.value = NOWHERE
    assert field.message.message == "Asking the scheduler…"
    assert field.problem == "", "what is not known yet holds nothing back"
    go.set()
    until_told(field, qtbot, "3 workers, 12 threads.")
    assert asked_in[0] is not threading.main_thread()


def test_where_nobody_answers_the_reason_stands_there_and_goes_with_it(
    field: RunOnFields, cluster: Cluster, qtbot: QtBot
) -> None:
    field.value = NOWHERE
    until_told(field, qtbot, f"no scheduler at {NOWHERE}")
    assert field.problem == field.message.message
    assert edit_of(field.address).property("wrong") == "true"
    field.value = cluster.address
    assert field.problem == ""
    until_told(field, qtbot, "2 workers")
    field.chooser.value = HERE
    assert field.message.isHidden()
    assert edit_of(field.address).isHidden()
    assert str(field.address.value) == cluster.address, "for another time"


def test_a_scheduler_is_asked_again_until_it_answers_and_workers_are_counted_anew(
    field: RunOnFields, answers: list[Any], monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    field._again.setInterval(20)
    answers += [SchedulerError("not yet"), SchedulerLook(0, 0), SchedulerLook(1, 4)]
    changes: list[str] = []
    field.changed.connect(lambda: changes.append(field.problem))
    field.value = NOWHERE
    until_told(field, qtbot, "1 worker, 4 threads.")
    assert changes[-2:] == ["not yet", ""], "the button is told that it is held back no longer"


def test_no_workers_are_no_reason_not_to_begin(
    field: RunOnFields, answers: list[Any], qtbot: QtBot
) -> None:
    answers.append(SchedulerLook(0, 0))
    field.value = NOWHERE
    until_told(field, qtbot, f"start some (dask worker {NOWHERE})")
    assert field.message.level == "warning"
    assert field.problem == ""


def test_a_way_that_others_can_read_is_told_beside_it(
    field: RunOnFields, answers: list[Any], qtbot: QtBot
) -> None:
    answers.append(SchedulerLook(1, 1, "others can read it"))
    field.value = NOWHERE
    until_told(field, qtbot, "1 worker, 1 thread; others can read it.")
    assert field.message.level == "warning"
    assert field.problem == ""


def test_out_of_sight_a_scheduler_that_answers_is_left_alone(
    field: RunOnFields, answers: list[Any], qtbot: QtBot
) -> None:
    answers.append(SchedulerLook(1, 1))
    field.value = NOWHERE
    until_told(field, qtbot, "1 worker")
    assert field._again.isActive()
    field.hide()
    assert not field._again.isActive()
    answers[:] = [SchedulerLook(2, 2)]
    field.show()
    until_told(field, qtbot, "2 workers")


def test_a_preview_is_computed_here_whatever_is_chosen(
    field: RunOnFields, answers: list[Any], qtbot: QtBot
) -> None:
    answers.append(SchedulerError("nobody is there"))
    field.value = NOWHERE
    field.set_area("What I see", stays_here=True)
    until_told(field, qtbot, "nobody is there")
    assert field.message.level == "warning"
    assert (field.used, field.problem, field.chosen) == ("", "", NOWHERE)
    answers[:] = [SchedulerLook(1, 1)]
    edit = edit_of(field.address)
    qtbot.keyClick(edit, "\r")
    until_told(field, qtbot, "What I see is computed on this computer all the same.")
    field.set_area("Everything", stays_here=False)
    assert field.used == NOWHERE
    assert "this computer" not in field.message.message


def test_a_scheduler_of_before_that_is_gone_leaves_this_computer(
    field: RunOnFields, answers: list[Any], qtbot: QtBot
) -> None:
    answers.append(SchedulerError("gone"))
    with qtbot.waitSignal(field.missed, timeout=WAIT_MS) as missed:
        field.expect(NOWHERE)
    assert missed.args == [NOWHERE]
    assert (field.value, field.problem) == ("", "")
    field.chooser.value = CLUSTER
    until_told(field, qtbot, "gone")
    assert field.problem == "gone", "chosen by hand it is no surprise any more"


def test_what_is_only_offered_is_not_asked(
    field: RunOnFields, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    asked: list[Callable[[], Any]] = []
    monkeypatch.setattr(field._asking, "ask", lambda address, work: asked.append(work))
    field.offer(NOWHERE)
    assert (field.value, str(field.address.value), asked) == ("", NOWHERE, [])
    field.chooser.value = CLUSTER
    assert len(asked) == 1


def test_reset_is_this_computer_again(field: RunOnFields, answers: list[Any]) -> None:
    answers.append(SchedulerLook(1, 1))
    field.value = NOWHERE
    field.reset()
    assert (field.value, str(field.address.value)) == ("", "")


def test_a_scheduler_that_hangs_up_is_told_like_one_that_is_not_there(
    field: RunOnFields, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(scheduler_look.look_at_scheduler, most_seconds=0.3)
    monkeypatch.setattr(module, "look_at_scheduler", impatient)
    with socket.create_server(("127.0.0.1", 0)) as server:
        field.value = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        until_told(field, qtbot, "does not answer as a Dask scheduler")
