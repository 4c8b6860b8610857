"""A first word with a scheduler, within a time limit: Dask's own client waits for it for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from napari_tessera.prediction.cluster.errors import ClusterError
from napari_tessera.stacks.checks import error_line

_LOADER = "distributed.client.security-loader"


def greet(address: str, seconds: float) -> Mapping[str, Any]:
    """Ask what listens at an address who it is.

    Parameters
    ----------
    address : str
        Where a scheduler should be, as Dask takes it.
    seconds : float
        How long all of it may take.

    Returns
    -------
    mapping
        What it says of itself, as ``n_workers`` and ``total_threads``; empty where Dask's
        configuration has connections made in a way that only its client knows.

    Raises
    ------
    ClusterError
        If nothing there speaks Dask's protocol, with Dask's own configuration of TLS, or it is no
        scheduler.
    """
    import dask.config
    from distributed.security import Security

    if dask.config.get(_LOADER, None):
        # only the client knows what that gives
        return {}
    try:
        security: Any = Security
        args: dict[str, Any] = security().get_connection_args("client")
        # a thread of its own, as the caller's may have a loop that runs
        with ThreadPoolExecutor(1, thread_name_prefix="tessera-greet") as pool:
            said = pool.submit(asyncio.run, _identity(address, args, seconds)).result()
    except TimeoutError as error:
        raise ClusterError(
            f"{address} does not answer as a Dask scheduler within {seconds:g} s: check the port "
            "(8787 is its dashboard), and whether it wants tls:// or tcp://"
        ) from error
    except Exception as error:
        # any exception: what came may be anything, and Dask reads it as its own
        raise ClusterError(_why_not(address, error)) from error
    if (who := str(said.get("type", "server"))) != "Scheduler":
        raise ClusterError(
            f"{address} is no Dask scheduler but a {who.lower()}: give the address that the "
            "scheduler wrote when it started"
        )
    return said


async def _identity(address: str, args: dict[str, Any], seconds: float) -> dict[str, Any]:
    from distributed.comm import core

    talk: Any = core

    async def ask() -> dict[str, Any]:
        comm = await talk.connect(address, timeout=seconds, **args)
        try:
            await comm.write({"op": "identity", "reply": True})
            answer = await comm.read()
            return answer if isinstance(answer, dict) else {}
        finally:
            comm.abort()

    return await asyncio.wait_for(ask(), seconds)


def _why_not(address: str, error: BaseException) -> str:
    below = _innermost(error)
    # Dask takes the first bytes of any answer, be it a web page, for the number of those to come
    inner = "it speaks another protocol" if isinstance(below, MemoryError) else error_line(below)
    if address.startswith(("tls:", "wss:")):
        return (
            f"no TLS connection to {address} ({inner}): set the certificates in Dask's "
            "configuration, distributed.comm.tls, or by DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
            "…__CLIENT__CERT and …__CLIENT__KEY"
        )
    return (
        f"what listens at {address} does not speak as a Dask scheduler ({inner}): check the port "
        "(8787 is its dashboard), and whether it wants tls://"
    )


def _innermost(error: BaseException) -> BaseException:
    """What is at the bottom of an error of Dask's, which wraps it in several."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error
