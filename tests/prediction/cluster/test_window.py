"""Blocks handed out to real workers, with tasks that do next to nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError
from contextlib import suppress
from threading import Event
from typing import Any

import pytest

from napari_tessera.prediction.cluster import window as window_module
from napari_tessera.prediction.cluster.crew import CrewState, Lost
from napari_tessera.prediction.cluster.errors import ClusterError
from napari_tessera.prediction.cluster.failures import BlockError
from napari_tessera.prediction.cluster.window import FEWEST, MOST_TRIES, Window
from napari_tessera.prediction.cluster.words import Look, Outcome


class Present:
    """The workers of the tests' cluster as a crew that prepares nothing."""

    def __init__(self, client: Any) -> None:
        self.there = list(client.nthreads())
        self.refused: dict[str, str] = {}
        self.renewed: list[str] = []

    @property
    def state(self) -> CrewState:
        fit = {worker: Look("fit") for worker in self.there if worker not in self.refused}
        return CrewState(fit, frozenset(), self.refused)

    def refuse(self, worker: str, why: str) -> None:
        self.refused[worker] = why

    def renew(self, worker: str) -> None:
        self.renewed.append(worker)


def window_of(
    client: Any, task: Callable[[int, str], Outcome], crew: Present, **more: Any
) -> tuple[Window, list[int]]:
    """A window whose tasks are given their number and the address of their worker."""
    done: list[int] = []

    def on_worker(number: int) -> Outcome:
        from distributed import get_worker

        return task(number, get_worker().address)

    def submit(number: int, key: str, workers: Collection[str] | None) -> Any:
        return client.submit(
            on_worker, number, key=key, pure=False, workers=workers, allow_other_workers=False
        )

    options = {"cancel": Event(), "tick": lambda: None, **more}
    window = Window(
        client, crew, submit, done=lambda outcome: done.append(outcome.number), **options
    )
    return window, done


def numbers(n: int) -> Callable[[], int | None]:
    left = iter(range(n))
    return lambda: next(left, None)


def test_no_more_are_handed_out_than_workers_can_take(client: Any) -> None:
    most = 0
    crew = Present(client)

    def tick() -> None:
        nonlocal most
        most = max(most, len(window.numbers))
        held = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
        assert held <= 3 * FEWEST

    window, done = window_of(client, lambda n, worker: Outcome("done", n, worker), crew, tick=tick)
    assert window.work(numbers(100), "a") == []
    assert sorted(done) == list(range(100))
    assert most <= FEWEST


def test_a_block_that_fails_is_tried_three_times_elsewhere(client: Any, tmp_path: Any) -> None:
    log = tmp_path / "log"

    def task(number: int, worker: str) -> Outcome:
        if number != 7:
            return Outcome("done", number, worker)
        with log.open("a") as file:
            file.write(f"{worker}\n")
        return Outcome("failed", number, worker, "the chunk is damaged")

    window, done = window_of(client, task, Present(client))
    (failure,) = window.work(numbers(20), "b")
    assert (failure.number, failure.message) == (7, "the chunk is damaged")
    assert sorted(done) == [n for n in range(20) if n != 7]
    where = log.read_text().split()
    assert len(where) == MOST_TRIES
    # the second time on another worker
    assert where[0] != where[1]


def test_what_will_fail_everywhere_ends_all_at_once(client: Any) -> None:
    def task(number: int, worker: str) -> Outcome:
        if number == 3:
            return Outcome("failed", number, worker, "no space left on a.ome.zarr", fatal=True)
        return Outcome("done", number, worker)

    window, _ = window_of(client, task, Present(client))
    with pytest.raises(BlockError, match=r"no space left on a\.ome\.zarr"):
        window.work(numbers(10_000), "c")
    assert window.numbers == ()


def test_where_nothing_works_it_is_not_tried_for_ever(client: Any) -> None:
    window, _ = window_of(
        client, lambda n, worker: Outcome("failed", n, worker, "no GPU"), Present(client)
    )
    with pytest.raises(BlockError, match=r"the first 8 blocks all failed, .* with: no GPU"):
        window.work(numbers(10_000), "d")


def test_a_worker_that_fails_all_is_left_out(client: Any) -> None:
    crew = Present(client)
    bad = crew.there[0]

    def task(number: int, worker: str) -> Outcome:
        if worker == bad:
            return Outcome("failed", number, worker, "the GPU is gone")
        return Outcome("done", number, worker)

    window, done = window_of(client, task, crew)
    assert window.work(numbers(60), "e") == []
    assert sorted(done) == list(range(60))
    assert "blocks in a row, at last with: the GPU is gone" in crew.refused[bad]


@pytest.mark.parametrize("state", ["stranger", "unfit"])
def test_a_worker_that_cannot_costs_no_block(client: Any, state: Any) -> None:
    crew = Present(client)
    bad = crew.there[0]

    def task(number: int, worker: str) -> Outcome:
        return Outcome(state if worker == bad else "done", number, worker, "cannot open it")

    window, done = window_of(client, task, crew)
    assert window.work(numbers(30), "f") == []
    assert sorted(done) == list(range(30))
    assert crew.renewed if state == "stranger" else crew.refused == {bad: "cannot open it"}


def test_errors_of_tasks_count_as_failures(client: Any) -> None:
    def task(number: int, worker: str) -> Outcome:
        if number == 1:
            raise ZeroDivisionError("in the task")
        return Outcome("done", number, worker)

    window, _ = window_of(client, task, Present(client))
    (failure,) = window.work(numbers(5), "g")
    assert failure.message == "ZeroDivisionError: in the task"


def test_tasks_that_others_cancel_are_handed_out_again(client: Any) -> None:
    cancelled = False

    def tick() -> None:
        nonlocal cancelled
        keys = [key for key in client.futures if str(key).startswith("h-")]
        if keys and not cancelled:
            cancelled = True
            client.cancel(_futures(client, keys))

    window, done = window_of(
        client, lambda n, worker: Outcome("done", n, worker), Present(client), tick=tick
    )
    assert window.work(numbers(200), "h") == []
    assert sorted(done) == list(range(200))


def _futures(client: Any, keys: list[Any]) -> list[Any]:
    from distributed import Future

    return [Future(key, client) for key in keys]


def waits_at_0() -> Callable[[int, str], Outcome]:
    """A task that goes on at block 0 until Dask takes it back."""

    def task(number: int, worker: str) -> Outcome:
        from distributed import get_worker

        own = get_worker()
        key = own.get_current_task()
        while number == 0 and own.state.tasks[key].state == "executing":
            Event().wait(0.01)
        return Outcome("done", number, worker)

    return task


def test_a_block_whose_workers_die_is_given_up(client: Any) -> None:
    """What the crew tells of workers that died, three times at the same block."""
    crew = Present(client)
    told = 0

    def tick() -> None:
        nonlocal told
        if 0 in window.numbers and told < MOST_TRIES:
            told += 1
            window.inbox.put(Lost(f"tcp://gone:{told}", frozenset(), 0, False))
            # one that was told to go is no fault of the block
            window.inbox.put(Lost(f"tcp://retired:{told}", frozenset(), 1, True))

    window, done = window_of(client, waits_at_0(), crew, tick=tick)
    (failure,) = window.work(numbers(4), "i")
    assert failure.number == 0
    assert "process ended 3 times" in failure.message
    assert sorted(done) == [1, 2, 3]


def test_a_block_that_ends_processes_at_once_is_given_up(client: Any) -> None:
    """Workers die before they were asked what they are at: it had been their only block."""
    told = 0

    def tick() -> None:
        nonlocal told
        keys = frozenset(key for key, each in window._pending.items() if each.number == 0)
        if keys and told < MOST_TRIES:
            told += 1
            window.inbox.put(Lost(f"tcp://gone:{told}", keys, None, False))

    window, done = window_of(client, waits_at_0(), Present(client), tick=tick)
    (failure,) = window.work(numbers(4), "k")
    assert failure.number == 0
    assert sorted(done) == [1, 2, 3]


@pytest.mark.parametrize("at_work", [None, 0, 7])
def test_blocks_that_waited_behind_one_that_ends_processes(
    client: Any, at_work: int | None
) -> None:
    """All of them were at a worker that died: only the one that it was at is given up."""
    told = 0

    def tick() -> None:
        nonlocal told
        keys = frozenset(window._pending)
        if 0 in window.numbers and told < MOST_TRIES:
            told += 1
            window.inbox.put(Lost(f"tcp://gone:{told}", keys, at_work, False))

    window, done = window_of(client, waits_at_0(), Present(client), tick=tick)
    (failure,) = window.work(numbers(6), "q")
    assert failure.number == 0
    assert sorted(done) == [1, 2, 3, 4, 5]


def test_what_was_seen_at_work_counts_before_what_was_handed_out_first(client: Any) -> None:
    """A block that comes from another worker may wait behind one that was handed out later."""
    crew = Present(client)
    window, _ = window_of(client, waits_at_0(), crew)
    window._hand_out(0, "r")
    window._hand_out(1, "r")
    keys = list(window._pending)
    assert window._was_at(Lost("tcp://gone:1", frozenset(keys), 1, False)) == keys[1]
    assert window._was_at(Lost("tcp://gone:1", frozenset(keys), None, False)) == keys[0]
    assert window._was_at(Lost("tcp://gone:1", frozenset(), None, False)) is None
    assert window._was_at(Lost("tcp://gone:1", frozenset(["of another run"]), 1, False)) is None
    window._withdraw()


def test_a_block_that_dask_gave_up_three_times_is_given_up(client: Any) -> None:
    from distributed.scheduler import KilledWorker

    def task(number: int, worker: str) -> Outcome:
        if number == 1:
            raise KilledWorker("l-1", worker, 3)
        return Outcome("done", number, worker)

    window, done = window_of(client, task, Present(client))
    (failure,) = window.work(numbers(4), "l")
    assert failure.number == 1
    assert window._count == 3 + MOST_TRIES
    assert sorted(done) == [0, 2, 3]


def test_where_the_others_fail_too_no_worker_is_left_out(client: Any) -> None:
    """As at a damaged part of the image, that all of them come to."""
    crew = Present(client)
    window, _ = window_of(client, lambda n, worker: Outcome("done", n, worker), crew)
    assert window.work(numbers(40), "m") == []
    window._good.update(crew.there)
    for number in range(40, 60):
        window._judge(Outcome("failed", number, crew.there[number % 2], "the chunk is damaged"))
    assert crew.refused == {}


def test_where_all_workers_are_refused_meanwhile_it_ends(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, "NOBODY_SECONDS", 0.0)
    crew = Present(client)

    def tick() -> None:
        for worker in crew.there if done else ():
            crew.refuse(worker, f"worker {worker} cannot open the image")

    window, done = window_of(client, lambda n, worker: Outcome("done", n, worker), crew, tick=tick)
    told = r"no worker can take part any more \(worker .* cannot open the image\): mend that, or"
    with pytest.raises(BlockError, match=told):
        window.work(numbers(10_000), "n")


def test_a_crew_that_lost_its_scheduler_ends_all(client: Any) -> None:
    class Gone(Present):
        @property
        def state(self) -> CrewState:
            return CrewState(lost="the connection was closed")

    window, _ = window_of(client, lambda n, w: Outcome("done", n, w), Gone(client))
    with pytest.raises(ClusterError, match="connection was closed"):
        window.work(numbers(5), "j")


def test_a_loop_that_ends_leaves_nothing_unheard_of(client: Any) -> None:
    """A block is taken back while all that waits is ended: asyncio has nothing to complain of."""
    told: list[str] = []

    async def end_at(step: int) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        # for ever, as no worker has that
        future = client.submit(sum, (step,), pure=False, resources={"none": 1})
        waiting = asyncio.ensure_future(window_module._ended(future))
        for _ in range(30):
            await asyncio.sleep(0)
        future.release()
        for _ in range(step):
            await asyncio.sleep(0)
        waiting.cancel()
        with suppress(asyncio.CancelledError, CancelledError):
            await waiting

    async def as_before() -> None:
        asyncio.get_running_loop().set_exception_handler(None)

    for step in range(8):
        client.sync(end_at, step)
        # what nobody asked for is told when it is collected
        gc.collect()
    client.sync(as_before)
    gc.collect()
    assert told == []
