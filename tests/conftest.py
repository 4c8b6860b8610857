"""What every test may ask for, and what every test leaves behind it."""

from __future__ import annotations

import copy
import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import HealthCheck, settings

# Before anything imports Qt, OpenGL or napari: the same software renderer on every machine, and
# neither read nor written, the settings of whoever runs the tests.
os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
os.environ["NAPARI_CONFIG"] = ""

# Dask's workers and schedulers look at themselves up to a hundred times a second: several of them
# that wait for the next test take a fifth of a core.
os.environ.setdefault("DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED", "False")
os.environ.setdefault("DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL", "500ms")

# A job in the background of a shell is started deaf to Ctrl+C, and so would be each program that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Several processes test at once (tox.ini): one core each, as threads that wait for one another
# by spinning take the core that the others need.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("LP_NUM_THREADS", "1")

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
    """Mark each test that reads shared material, so that ``-m "not shared"`` leaves it out.

    Where several processes share the files of tests, long ones come first: none is left over when
    the others are through.
    """
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)
    if "PYTEST_XDIST_WORKER" in os.environ:
        long = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Path:
    """Folder with real images (``data/``) and models (``models/``), beside the checkout."""
    folder = pytestconfig.rootpath.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder 'shared' beside the checkout: real images and models are not here")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept between runs is kept apart from that of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_TESSERA_CACHE", str(folder / "cache"))
        patch.setenv("NAPARI_TESSERA_STATE", str(folder / "state"))
        yield


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    """The dock of one test does not begin with the settings of another."""
    yield
    store = sys.modules.get("napari_tessera.widgets.remembered.store")
    if store is not None:
        store.remember(store.LastSettings())


@pytest.fixture(scope="session", autouse=True)
def _imports_are_no_garbage() -> Iterator[None]:
    """Collecting garbage, as napari does for each viewer, looks only at what tests have made.

    Half a million objects that were imported took it a third of a second each time.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def _windows_are_no_garbage(_imports_are_no_garbage: None) -> None:
    importlib.import_module("napari.window")
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _manifests_are_read_once() -> Iterator[None]:
    """Each viewer of napari's fixture finds all plugins anew: that was a third of its time."""
    bases = importlib.import_module("npe2.manifest._bases")
    parse: Callable[[IO[bytes]], Any] | None = getattr(bases, "_load_yaml_no_duplicates", None)
    if parse is None:
        yield
        return
    known: dict[bytes, Any] = {}

    def parse_once(stream: IO[bytes]) -> Any:
        text = stream.read()
        if text not in known:
            known[text] = parse(io.BytesIO(text))
        return copy.deepcopy(known[text])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bases, "_load_yaml_no_duplicates", parse_once)
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_stays_is_no_garbage(_imports_are_no_garbage: None) -> None:
    """What modules before this one have imported and kept is not looked through again, either."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _background_work_ends(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no Qt worker of one test run on into the next."""
    windows = [name for name in ("qtbot", "make_napari_viewer") if name in request.fixturenames]
    if windows:
        request.getfixturevalue("_windows_are_no_garbage")
        request.getfixturevalue("_manifests_are_read_once")
    # asked for here so that they are torn down after this: a worker's last events still find them
    for name in windows:
        request.getfixturevalue(name)
    yield
    if windows:
        from superqt.utils import WorkerBase

        WorkerBase.await_workers(WORKER_TIMEOUT_MS)
