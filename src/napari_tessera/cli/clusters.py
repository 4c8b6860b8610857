"""Where tiles are predicted, as it is typed: in this process, or by workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

    from napari_tessera.prediction.saving import Output


@dataclass(frozen=True)
class ClusterChoice:
    """Workers that are asked for.

    Parameters
    ----------
    address : str
        ``local``, or a scheduler's address.
    workers, threads_per_worker : int or None
        Of a local cluster; None for what suits this computer.
    """

    address: str
    workers: int | None = None
    threads_per_worker: int | None = None

    def check(self, output: Output) -> None:
        """Raise where workers cannot write, before anything is opened or started.

        Raises
        ------
        ValueError
            If the output is no OME-Zarr that several processes can write to.
        """
        from napari_tessera.prediction.cluster.output_place import output_place

        output_place(output.target)

    @property
    def is_local(self) -> bool:
        """Whether workers are started here."""
        return self.address.strip().lower() == "local"

    def size(self, warn: Callable[[str], None]) -> tuple[int, int | None]:
        """Number of workers, and threads of the model in each (None: not the same in all).

        Nothing is started for it; a scheduler that runs is asked.

        Raises
        ------
        ClusterError
            If the scheduler does not answer, or has no worker.
        """
        from napari_tessera.prediction.cluster import ClusterError, cluster_client
        from napari_tessera.prediction.cluster.local import local_size

        if self.is_local:
            size = local_size(self.workers, self.threads_per_worker)
            return size.workers, size.threads_per_worker
        with cluster_client(
            self.address,
            workers=self.workers,
            threads_per_worker=self.threads_per_worker,
            warn=warn,
        ) as client:
            threads = list(client.nthreads().values())  # type: ignore[no-untyped-call]
        if not threads:
            raise ClusterError(
                f"the scheduler at {self.address} has no workers: start some with 'dask worker "
                f"{self.address}'"
            )
        return len(threads), threads[0] if len(set(threads)) == 1 else None


@contextmanager
def client_of(choice: ClusterChoice | None, warn: Callable[[str], None]) -> Iterator[Client | None]:
    """The client of the workers for as long as the ``with`` block lasts; None for this process."""
    if choice is None:
        yield None
        return
    from napari_tessera.prediction.cluster import cluster_client

    with cluster_client(
        choice.address,
        workers=choice.workers,
        threads_per_worker=choice.threads_per_worker,
        warn=warn,
    ) as client:
        yield client
