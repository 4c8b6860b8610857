"""One cluster of two processes for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_tessera.prediction.cluster import cluster_client
from napari_tessera.prediction.cluster import crew as crew_module
from napari_tessera.prediction.cluster import run as run_module

from .scenes import one_machine, write_image, write_model

if TYPE_CHECKING:
    from distributed import Client


@pytest.fixture(scope="package")
def client() -> Iterator[Client]:
    """Client of two workers of one thread each.

    It ends with these tests: what its threads do at any time would count in those that measure
    memory.
    """
    with cluster_client("local", workers=2, threads_per_worker=1) as found:
        yield found


@pytest.fixture(autouse=True)
def on_a_busy_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that take long to start, or to say how they stand, are no news to these tests."""
    monkeypatch.setattr(run_module, "ALONE_SECONDS", 100.0)
    monkeypatch.setattr(crew_module, "SELDOM_SECONDS", crew_module.LOOK_SECONDS)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where image and model lie."""
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="session")
def image(folder: Path) -> Path:
    """An image TYX with chunks."""
    return write_image(folder / "image.zarr")


@pytest.fixture(scope="session")
def model(folder: Path) -> Path:
    """A network in a file, slow enough for tests that do something in the middle of a run."""
    return write_model(folder / "net.pt", 24)


@pytest.fixture(scope="session")
def alone(folder: Path, image: Path, model: Path) -> dict[str, str]:
    """What one process makes of both."""
    return one_machine(image, model, folder / "alone.ome.zarr")
