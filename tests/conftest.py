"""What every test may ask for, and what every test leaves behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before anything imports Qt, OpenGL or napari: the same software renderer on every machine, and
# neither read nor written, the settings of whoever runs the tests.
os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
os.environ["NAPARI_CONFIG"] = ""

settings.register_profile(
    "tessera",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("tessera-ci", settings.get_profile("tessera"), derandomize=True)
settings.load_profile("tessera-ci" if os.environ.get("CI") else "tessera")

WORKER_TIMEOUT_MS = 20_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that reads shared material, so that ``-m "not shared"`` leaves it out."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Path:
    """Folder with real images (``data/``) and models (``models/``), beside the checkout."""
    folder = pytestconfig.rootpath.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder 'shared' beside the checkout: real images and models are not here")
    return folder


@pytest.fixture(autouse=True)
def _background_work_ends(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no Qt worker of one test run on into the next."""
    windows = [name for name in ("qtbot", "make_napari_viewer") if name in request.fixturenames]
    # asked for here so that they are torn down after this: a worker's last events still find them
    for name in windows:
        request.getfixturevalue(name)
    yield
    if windows:
        from superqt.utils import WorkerBase

        WorkerBase.await_workers(WORKER_TIMEOUT_MS)
