"""From what people write behind ``--cluster`` to a client that works there, and back to nothing."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from napari_tessera.prediction.cluster.addresses import (
    LOCAL,
    SchedulerAddress,
    check_reachable,
    open_to_others,
    parse_scheduler,
)
from napari_tessera.prediction.cluster.errors import ClusterError, dask_distributed
from napari_tessera.prediction.cluster.greeting import greet
from napari_tessera.prediction.cluster.local import close_local, local_size, start_local
from napari_tessera.stacks.checks import error_line

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""

CLIENT_NAME = "napari-tessera"
"""What the scheduler knows this program as."""


@contextmanager
def cluster_client(
    address: str,
    *,
    workers: int | None = None,
    threads_per_worker: int | None = None,
    warn: Callable[[str], None] | None = None,
) -> Iterator[Client]:
    """Connect to a cluster, or start one on this computer, for the length of a ``with`` block.

    Parameters
    ----------
    address : str
        ``"local"``: processes of this computer, which end with the block: one a GPU, without GPUs
        half as many as there are cores. ``"tcp://HOST:PORT"``, ``"tls://HOST:PORT"``: a Dask
        scheduler that runs there; of TLS the certificates are those of Dask's own configuration.
    workers, threads_per_worker : int, optional
        Of a local cluster: how many processes, and threads of the model in each.
    warn : callable, optional
        Given, before anything is sent, one line on what to know: that a scheduler is spoken with in
        the clear over a public network, or runs other versions of Dask. Default: a UserWarning.

    Yields
    ------
    distributed.Client
        For ``client=`` of `predict_to_disk` and `predict_files`. It does not become Dask's default
        one.

    Raises
    ------
    ValueError
        If the address is none, or workers are asked for of a cluster that runs elsewhere.
    ClusterError
        If Dask distributed is not installed, or the scheduler does not answer.
    """
    tell = warn or _warn
    plain = address.strip()
    # asked for before anything is started
    dask_distributed()
    with ExitStack() as stack:
        if plain.lower() == LOCAL:
            size = local_size(workers, threads_per_worker)
            stack.enter_context(quiet_dask())
            cluster = start_local(size)
            stack.callback(close_local, cluster)
            client = connected(cluster, LOCAL, tell)
        else:
            for name, value in (("workers", workers), ("threads_per_worker", threads_per_worker)):
                if value is not None:
                    raise ValueError(
                        f"{name} {value} is for cluster {LOCAL}: those of {plain} are started where"
                        " they run; leave it out"
                    )
            scheduler = parse_scheduler(plain)
            if (open_ := open_to_others(scheduler)) is not None:
                tell(open_)
            _check_reachable(scheduler)
            stack.enter_context(quiet_dask())
            greet(str(scheduler), CONNECT_SECONDS)
            client = connected(str(scheduler), str(scheduler), tell)
        stack.callback(_close, client)
        yield client


def connected(where: Any, name: str, tell: Callable[[str], None]) -> Client:
    """A client of a scheduler, that is no default of anything.

    Parameters
    ----------
    where : str or cluster
        What Dask is given.
    name : str
        What messages call it.
    tell : callable
        Given a line where versions of Dask differ.

    Raises
    ------
    ClusterError
        If there is no Dask scheduler, or none that can be spoken with; nothing is left running.
    """
    client_class = dask_distributed().Client
    # made in two steps: of one that fails to connect, a thread would be left
    client = client_class.__new__(client_class)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            client.__init__(where, timeout=CONNECT_SECONDS, set_as_default=False, name=CLIENT_NAME)
        except BaseException as error:
            _abandon(client)
            if isinstance(error, OSError | ImportError | TypeError | ValueError | RuntimeError):
                raise ClusterError(
                    f"no Dask scheduler at {name} ({error_line(error)}): check the address"
                ) from error
            raise
    for warning in caught:
        if type(warning.message).__name__ == "VersionMismatchWarning":
            tell(_versions(name, str(warning.message)))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    made: Client = client
    return made


def check_client(client: Any) -> None:
    """Raise unless a client can be worked with.

    Raises
    ------
    ValueError
        If it is no client of Dask, or one that wants to be awaited.
    ClusterError
        If it is closed, or lost its scheduler.
    """
    if not isinstance(client, dask_distributed().Client):
        raise ValueError(
            f"client {type(client).__name__} is none of Dask: pass distributed.Client(...), or "
            "what cluster_client gives"
        )
    if client.asynchronous:
        raise ValueError(
            "the Dask client is asynchronous, which a run would have to await: pass one made with "
            "asynchronous=False"
        )
    if client.status != "running":
        raise ClusterError(f"the Dask client is {client.status}: connect anew, and pass that one")


def is_ours(client: Any) -> bool:
    """Whether a client was made by `cluster_client`, which warned of what there was to warn of."""
    return str(client.id).startswith(f"Client-{CLIENT_NAME}-")


def warning_of(client: Any) -> str | None:
    """What to know, in one line, of the way to the scheduler of a client that somebody else made.

    None where there is nothing to say, or it was said.
    """
    if is_ours(client):
        return None
    try:
        return open_to_others(parse_scheduler(client.scheduler.address))
    except (ValueError, AttributeError):
        # within this process, or by a way that is none of ours to judge
        return None


@contextmanager
def quiet_dask() -> Iterator[None]:
    """Keep from the terminal what Dask logs of connections and processes that end.

    What matters of it is told by the run, in one line. Levels of Dask's loggers, not of its
    handlers, of which there are none where the program has some for everything, as napari has.
    """
    dask_distributed()
    before = {}
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        own = name == "distributed" or (name.startswith("distributed.") and logger.level)
        if own and logger.level < logging.CRITICAL:
            before[logger] = logger.level
            logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)


def _check_reachable(scheduler: SchedulerAddress) -> None:
    try:
        check_reachable(scheduler, CONNECT_SECONDS)
    except OSError as error:
        raise ClusterError(str(error)) from error


def _versions(name: str, table: str) -> str:
    """One line out of Dask's table of versions that differ."""
    packages = [line.split("|")[1].strip() for line in table.splitlines() if line.count("|") > 2]
    named = ", ".join(package for package in packages if package not in ("", "Package"))
    return (
        f"this computer and {name} have other versions of {named or 'Dask'}: that fails often; "
        "install the same ones"
    )


def _abandon(client: Any) -> None:
    """Stop the thread of a client that failed to connect."""
    runner = getattr(client, "_loop_runner", None)
    if runner is not None:
        with suppress(Exception):
            client.close(timeout=1)
        with suppress(Exception):
            runner.stop()


def _close(client: Any) -> None:
    """Close a client, whose scheduler may be gone."""
    with suppress(OSError, TimeoutError):
        client.close(timeout=5)


def _warn(line: str) -> None:
    warnings.warn(line, UserWarning, stacklevel=4)
