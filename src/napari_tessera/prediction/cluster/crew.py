"""The workers of a run: who is there, who can take part, and what each is at."""

from __future__ import annotations

import pkgutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction.cluster import on_worker, versions
from napari_tessera.prediction.cluster.asking import (
    ANSWER_SECONDS,
    TOGETHER_SECONDS,
    ask_scheduler,
    ask_workers,
)
from napari_tessera.prediction.cluster.errors import ClusterError
from napari_tessera.prediction.cluster.model_plugin import ModelPlugin
from napari_tessera.prediction.cluster.parcels import ModelParcel
from napari_tessera.prediction.cluster.run_plugin import RunPlugin
from napari_tessera.prediction.cluster.words import FIT, PREPARING, UNFIT, Look, RunSpec
from napari_tessera.stacks.checks import error_line

if TYPE_CHECKING:
    from distributed import Client

LOOK_SECONDS = 0.5
"""How often workers are asked how they stand, where that takes next to no time."""

SELDOM_SECONDS = 5.0
"""How seldom they are asked at most."""

PREPARING_SECONDS = 0.1
"""How often they are asked as long as some are not ready."""

LOOK_SHARE = 0.05
"""Part of the time that may be spent on asking: of a thousand workers it takes a while."""

TOGETHER = 256 * 2**20
"""Bytes that are on their way at once where a model is sent: the scheduler holds them."""

SLOWEST = 2**20
"""Bytes a second that a model is sent with at least."""


@dataclass(frozen=True)
class Lost:
    """A worker that is gone.

    Parameters
    ----------
    worker : str
        Its address.
    tasks : frozenset of str
        Names of the tasks that were given to it and not finished.
    at_work : int or None
        Number of the block that it was at, when it was last asked.
    expected : bool
        Whether it was told to go, as by adaptive scaling; else its process died.
    """

    worker: str
    tasks: frozenset[str]
    at_work: int | None
    expected: bool


@dataclass
class _Member:
    nthreads: int
    look: Look | None = None
    refused: str = ""


@dataclass(frozen=True)
class CrewState:
    """The workers at one moment.

    Parameters
    ----------
    fit : mapping of str to Look
        Those that take part, by address.
    preparing : frozenset of str
        Those that are asked, or open image and model.
    refused : mapping of str to str
        Those that cannot take part, and why: one line each.
    lost : str
        Why nothing is known any more: the scheduler is gone. Empty as long as it is there.
    """

    fit: Mapping[str, Look] = field(default_factory=dict)
    preparing: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    lost: str = ""

    @property
    def n_present(self) -> int:
        """Workers that are there, fit or not."""
        return len(self.fit) + len(self.preparing) + len(self.refused)


class Crew:
    """Watches the workers of a cluster in a thread, and brings those that come into the run.

    Only the workers that run what the client runs are sent anything of ours: nothing is registered
    with the scheduler, so that no other program's workers meet it, and nothing stays there when the
    client dies.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    spec : RunSpec
        The run.
    parcels : sequence of ModelParcel
        Its models.
    news : callable
        Called, from the thread, with a `Lost` when a worker is gone, with None when one has become
        fit or unfit.
    """

    def __init__(
        self,
        client: Client,
        spec: RunSpec,
        parcels: Collection[ModelParcel],
        news: Callable[[Lost | None], None],
    ) -> None:
        self._client: Any = client
        self._spec = spec
        self._parcels = {parcel.sha256: parcel for parcel in parcels}
        self._news = news
        self._members: dict[str, _Member] = {}
        self._lost = ""
        self._failed: Exception | None = None
        self._took = 0.0
        self._lock = Lock()
        self._stop, self._now = Event(), Event()
        self._thread = Thread(target=self._watch, name="tessera-crew", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    @property
    def state(self) -> CrewState:
        """How it stands.

        Raises
        ------
        Exception
            What ended the watching thread without a reason that a user could be told: a run that
            went on would wait for ever.
        """
        with self._lock:
            if self._failed is not None:
                raise self._failed
            fit, refused, preparing = {}, {}, set()
            for address, member in self._members.items():
                if member.refused:
                    refused[address] = member.refused
                elif member.look is not None and member.look.state == FIT:
                    fit[address] = member.look
                else:
                    preparing.add(address)
            return CrewState(fit, frozenset(preparing), refused, self._lost)

    def refuse(self, worker: str, why: str) -> None:
        """Leave a worker out from now on.

        Parameters
        ----------
        worker : str
            Its address.
        why : str
            What it does, behind its name: "cannot open …".
        """
        with self._lock:
            member = self._members.get(worker)
            if member is not None:
                member.refused = f"worker {worker} {why}"
        self._news(None)

    def renew(self, worker: str) -> None:
        """Tell a worker of the run anew, which knows nothing of it."""
        with self._lock:
            self._members.pop(worker, None)
        self._now.set()

    def end(self) -> None:
        """Stop watching, and have the workers forget the run."""
        self._stop.set()
        self._now.set()
        self._thread.join()
        with self._lock:
            known = [each for each, one in self._members.items() if one.look is not None]
        if known and not self._lost:
            try:
                self._run(on_worker.leave, self._spec.name, workers=self._present(known))
            except ClusterError:
                # they forget it by themselves when nobody asks any more
                return

    def stop_blocks(self) -> int:
        """Have all blocks end after the batch that they are at; says how many are at work.

        One that gives no answer is at the block that it was at when it was last asked.
        """
        with self._lock:
            # not `state`, which tells of a mistake: blocks are at work all the same
            known = {each: one.look for each, one in self._members.items() if one.look is not None}
        there = self._present(known)
        told = self._run(on_worker.stop, self._spec.name, workers=there)
        silent = [each for each in there if each not in told and known[each].number is not None]
        return len(silent) + sum(n for n in told.values() if isinstance(n, int))

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._now.clear()
            try:
                self._step()
            except ClusterError as error:
                with self._lock:
                    self._lost = str(error)
                self._news(None)
                return
            except Exception as error:
                with self._lock:
                    self._failed = error
                self._news(None)
                return
            if self.state.preparing:
                self._now.wait(PREPARING_SECONDS)
            else:
                pause = min(max(LOOK_SECONDS, self._took / LOOK_SHARE), SELDOM_SECONDS)
                self._now.wait(pause)

    def _step(self) -> None:
        there = self._call("ncores")
        with self._lock:
            gone = {each: self._members.pop(each) for each in set(self._members) - set(there)}
            for address in set(there) - set(self._members):
                self._members[address] = _Member(there[address])
            # those that gave no answer are asked again
            new = [each for each, one in self._members.items() if not (one.look or one.refused)]
        for address, member in gone.items():
            if member.look is not None:
                self._news(self._why_gone(address, member.look))
        if new:
            # with others at work nothing is to wait for one that does not answer
            busy = any(one.look and not one.refused for one in self._members.values())
            self._bring_in(new, TOGETHER_SECONDS if busy else ANSWER_SECONDS)
        with self._lock:
            asked = [each for each, one in self._members.items() if one.look and not one.refused]
        if asked:
            began = time.perf_counter()
            self._ask(asked)
            self._took = time.perf_counter() - began

    def _bring_in(self, new: list[str], seconds: float) -> None:
        """Ask workers what they run, and tell those that run the same of the run."""
        # only what is part of Python: ours need not be there
        package = self._run(pkgutil.resolve_name, versions.ATTRIBUTE, workers=new, seconds=seconds)
        # of one that died meanwhile no second answer is waited for
        torch = self._run(metadata.version, "torch", workers=package)
        fit = []
        for address in new:
            if address not in package or address not in torch:
                continue
            why = versions.difference(address, package[address], torch[address])
            if why is None:
                fit.append(address)
            else:
                self._note(address, why)
        if fit:
            fit = self._send_models(fit)
            joined = self._run(on_worker.join, RunPlugin(self._spec), workers=fit)
            for address in self._able(joined):
                with self._lock:
                    if address in self._members:
                        self._members[address].look = Look(PREPARING)

    def _send_models(self, workers: list[str]) -> list[str]:
        """Send them to workers that lack them; gives the workers that have them all."""
        lacking = self._run(on_worker.lacks, tuple(self._parcels), workers=workers)
        for worker, answer in lacking.items():
            if isinstance(answer, Exception):
                # it would be asked for ever
                self._note_unable(worker, error_line(answer))
        # who gave no answer is asked again
        workers = [worker for worker in workers if isinstance(lacking.get(worker), list)]
        for sha256, parcel in self._parcels.items():
            to = [worker for worker in workers if sha256 in lacking[worker]]
            together = max(1, TOGETHER // max(1, parcel.size))
            for start in range(0, len(to), together):
                part = to[start : start + together]
                seconds = ANSWER_SECONDS + len(part) * parcel.size / SLOWEST
                plugin = ModelPlugin(parcel)
                took = self._run(
                    on_worker.receive, plugin, workers=part, seconds=seconds, once=True
                )
                able = self._able(took)
                workers = [worker for worker in workers if worker not in part or worker in able]
        return workers

    def _able(self, answers: Mapping[str, Any]) -> list[str]:
        """Workers that did what they were asked for; the others are left out."""
        able = []
        for address, answer in answers.items():
            # what went wrong there comes as text, of which every worker can say it
            why = error_line(answer) if isinstance(answer, Exception) else answer
            if why:
                self._note_unable(address, why)
            else:
                able.append(address)
        return able

    def _ask(self, workers: list[str]) -> None:
        looks = self._run(on_worker.look, self._spec.name, workers=workers)
        told = False
        for address, look in looks.items():
            if isinstance(look, Exception):
                # it would be waited for for ever
                why = f"does not say how it stands ({error_line(look)}): start it anew"
                self.refuse(address, why)
                continue
            with self._lock:
                member = self._members.get(address)
                if member is None:
                    continue
                if look is None:
                    # it forgot the run, as nobody had asked for long: this computer slept
                    del self._members[address]
                    continue
                told = told or (member.look is not None and member.look.state != look.state)
                member.look = look
                if look.state == UNFIT:
                    member.refused = f"worker {address} {look.why}"
        if told:
            self._news(None)

    def _note_unable(self, address: str, why: str) -> None:
        why = f"worker {address} cannot take part ({why}): look at its log"
        self._note(address, why)

    def _note(self, address: str, why: str) -> None:
        with self._lock:
            if address in self._members:
                self._members[address].refused = why
        self._news(None)

    def _why_gone(self, address: str, look: Look) -> Lost:
        events = self._call("events", topic=address)
        for _, event in reversed(events or ()):
            if isinstance(event, Mapping) and event.get("action") == "remove-worker":
                tasks = frozenset(map(str, event.get("processing-tasks", ())))
                return Lost(address, tasks, look.number, bool(event.get("expected")))
        return Lost(address, frozenset(), look.number, False)

    def _present(self, workers: Collection[str]) -> list[str]:
        there = self._call("ncores")
        return [worker for worker in workers if worker in there]

    def _run(
        self,
        function: Callable[..., Any],
        *args: Any,
        workers: Collection[str],
        seconds: float = ANSWER_SECONDS,
        once: bool = False,
    ) -> dict[str, Any]:
        """Have workers call a function; those that give no answer in time are left out."""
        return ask_workers(
            self._client, function, *args, workers=workers, seconds=seconds, once=once
        )

    def _call(self, operation: str, **kwargs: Any) -> Any:
        """Ask the scheduler, which may have stopped to answer without being gone."""
        return ask_scheduler(self._client, operation, **kwargs)
