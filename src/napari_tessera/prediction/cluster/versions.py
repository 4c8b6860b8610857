"""Whether a worker runs what the client runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import napari_tessera

PACKAGE = "napari-tessera"
ATTRIBUTE = "napari_tessera:__version__"
"""Where the version of the package stands that is imported, not of what is installed beside it."""


def public(text: object) -> str:
    """A version without the part that names a build, as ``+cpu``."""
    return str(text).partition("+")[0]


def own_versions() -> dict[str, str]:
    """Versions of the package and of torch in this process."""
    return {PACKAGE: napari_tessera.__version__, "torch": public(version("torch"))}


def resource_name() -> str:
    """Name of the Dask resource that workers with these versions have one of.

    Runs of other versions never meet on a worker; those of the same take turns on it.
    """
    own = own_versions()
    return f"{PACKAGE}-{own[PACKAGE]}-torch-{own['torch']}"


def difference(worker: str, package: Any, torch: Any) -> str | None:
    """Why a worker is refused for its versions, in one line; None where they are ours.

    Parameters
    ----------
    worker : str
        Its address.
    package, torch : str or Exception
        Version of the package and of torch there, or what asking for it raised.
    """
    own = own_versions()
    for name, found in ((PACKAGE, package), ("torch", torch)):
        if isinstance(found, ImportError | PackageNotFoundError):
            return f"worker {worker} has no {name}: install {name} {own[name]} there"
        if isinstance(found, BaseException):
            return f"worker {worker} does not say which {name} it has ({found}): start it anew"
        if public(found) != public(own[name]):
            return (
                f"worker {worker} has {name} {public(found)}, this computer {own[name]}: install "
                "the same version there"
            )
    return None
