"""What goes wrong with a cluster itself, not with the image or the model."""

from __future__ import annotations

from types import ModuleType

from napari_tessera.stacks.checks import error_line

CLOSED = "the connection was closed"
"""Why nothing is known of a scheduler any more, in most cases."""


class ClusterError(OSError):
    """The scheduler or its workers cannot be reached, are lost or cannot be worked with."""


class SchedulerGoneError(ClusterError):
    """The scheduler was lost in the middle of a run.

    Parameters
    ----------
    told : str
        That it is gone, and how far the run is; without the way out.
    """

    def __init__(self, told: str) -> None:
        super().__init__(f"{told}; start the run again with resume")
        self.told = told


def plain_reason(error: BaseException) -> str:
    """Why a scheduler does not answer, without the names that Dask has for its own parts."""
    closed = isinstance(error, ConnectionError) or type(error).__name__ == "CommClosedError"
    return CLOSED if closed else error_line(error)


def dask_distributed() -> ModuleType:
    """The package ``distributed``.

    Raises
    ------
    ClusterError
        If it is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise ClusterError(
            "a cluster needs Dask distributed, which is not installed: "
            "pip install 'napari-tessera[cluster]'"
        ) from error
    return distributed
