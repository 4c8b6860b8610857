"""Waiting at the start of a run until workers are there, and what is said of them."""

from __future__ import annotations

import os
import socket
import time
from threading import Event
from typing import TYPE_CHECKING

from napari_tessera.prediction.cluster.errors import ClusterError
from napari_tessera.prediction.cluster.output_place import check_shared

if TYPE_CHECKING:
    from distributed import Client

    from napari_tessera.prediction.cluster.crew import Crew, CrewState
    from napari_tessera.prediction.cluster.telling import ClusterTally

NONE_SECONDS = 60.0
"""How long to wait for a first worker."""

OTHERS_SECONDS = 20.0
"""How long those that are ready wait for the others: these join later."""

_LOOK_SECONDS = 0.05


def wait_for_workers(
    crew: Crew, client: Client, cancel: Event, tally: ClusterTally, where: str
) -> int | None:
    """Wait until workers can take part.

    Parameters
    ----------
    crew : Crew
        The workers.
    client : distributed.Client
        The cluster, for what is said.
    cancel : threading.Event
        Ends it.
    tally : ClusterTally
        Told of workers that are refused, and that there are none yet.
    where : str
        Where they will write.

    Returns
    -------
    int or None
        How many take part; None after a cancel.

    Raises
    ------
    ClusterError
        If there are none, or none that can: one line each why.
    """
    began = time.monotonic()
    fit_since: float | None = None
    own = own_process()
    address = scheduler_address(client)
    while not cancel.wait(_LOOK_SECONDS):
        state, waited = crew.state, time.monotonic() - began
        if state.lost:
            raise ClusterError(f"the scheduler at {address} is gone ({state.lost}): start it anew")
        for worker, look in state.fit.items():
            if why := check_shared(where, look.process, own):
                crew.refuse(worker, why)
        state = crew.state
        tally.note(*state.refused.values())
        if state.fit:
            fit_since = waited if fit_since is None else fit_since
            if not state.preparing or waited - fit_since > OTHERS_SECONDS:
                return len(state.fit)
        elif state.refused and not state.preparing:
            raise ClusterError(_none_fit(state))
        elif not state.n_present and waited > NONE_SECONDS:
            raise ClusterError(
                f"the scheduler at {address} has no workers after {NONE_SECONDS:g} s: start one "
                f"with 'dask worker {address}', where napari-tessera is installed"
            )
        elif not state.n_present and waited > 1:
            tally.note(f"the scheduler at {address} has no workers yet: waiting for the first")
        tally.tick(state)
    return None


def scheduler_address(client: Client) -> str:
    """Address of the scheduler of a client, which may be closed."""
    return str(getattr(client.scheduler, "address", "the cluster"))


def own_process() -> str:
    """Computer and process, as a worker says them."""
    return f"{socket.gethostname()} {os.getpid()}"


def different_machines(state: CrewState) -> tuple[str, ...]:
    """What to know where workers do not compute alike: one line, or none."""
    kinds = sorted({str(look.machine) for look in state.fit.values() if look.machine is not None})
    if len(kinds) < 2:
        return ()
    return (
        f"workers compute in different ways ({'; '.join(kinds)}): their blocks differ from those "
        "of one computer by up to 1e-6 of the range",
    )


def _none_fit(state: CrewState) -> str:
    first, *others = state.refused.values()
    more = f" (and {len(others)} further workers)" if others else ""
    return f"no worker can take part: {first}{more}"
