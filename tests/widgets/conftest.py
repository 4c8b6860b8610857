"""Small real networks, plans of them, and a controller in a real viewer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from numpy.typing import NDArray
from tests.widgets.dask_cluster import Cluster, start_cluster
from tests.widgets.dock_scene import Scene, opened_scene
from torch import nn

from napari_tessera.models import load_model
from napari_tessera.prediction import PredictionPlan, plan_prediction, predict, run_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.stacks.zarr.nodes import store_path
from napari_tessera.widgets.controller import RunController
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.run_state import DONE, FAILED, IDLE, STOPPED

ENDS = (DONE, FAILED, IDLE, STOPPED)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a test that shows a window once more where it fails; the summary names it.

    A window is laid out, painted and sent its events by a server that all tests share, and now and
    then another one comes between. What fails twice has failed.
    """
    here = Path(__file__).parent
    for item in items:
        shows = {"make_napari_viewer", "qtbot"} & set(getattr(item, "fixturenames", ()))
        if here in item.path.parents and shows:
            item.add_marker(pytest.mark.flaky(reruns=1))


WAIT_MS = 30_000


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Dask scheduler with two workers of one thread, for tests that leave it as it is."""
    pytest.importorskip("distributed")
    started = start_cluster(tmp_path_factory.mktemp("dask"), 2)
    yield started
    started.end()


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is remembered of the models that other tests have used."""
    monkeypatch.setenv("NAPARI_TESSERA_STATE", str(tmp_path_factory.mktemp("state")))


class Blur(nn.Module):
    """Mean over 3×3 pixels (3×3×3 for volumes), each channel by itself: reach 1, period 1."""

    def __init__(self, dims: int = 2, channels: int = 1) -> None:
        super().__init__()
        kind = nn.Conv2d if dims == 2 else nn.Conv3d
        self.conv = kind(channels, channels, 3, padding=1, groups=channels, bias=False)
        nn.init.constant_(self.conv.weight, 1 / 3**dims)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


@pytest.fixture
def blur(tmp_path: Path) -> Path:
    """A blur as a TorchScript file."""
    path = tmp_path / "blur.pt"
    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        torch.jit.trace(Blur().eval(), torch.zeros(1, 1, 16, 16)).save(str(path))
    return path


class GatedBlur(nn.Module):
    """A blur that waits before each tile of an image until the test lets one through.

    What planning tries on a small all-zero tile passes. What is tried again after an error does
    not wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blur = Blur()
        self.has_failed = False
        self.tickets = threading.Semaphore(0)
        self.waiting = threading.Event()
        self.error: Exception | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> GatedBlur:
        return self

    def let(self, tiles: int) -> None:
        """Let so many tiles through."""
        self.tickets.release(tiles)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if threading.current_thread().name == "tessera-model":
            self.waiting.set()
            if self.error is None or not self.has_failed:
                assert self.tickets.acquire(timeout=WAIT_MS / 1000)
            self.has_failed = self.error is not None
            if self.error is not None:
                raise self.error
        return self.blur(x)


def make_plan(
    image: NDArray[Any], axes: str, network: nn.Module | None = None, **settings: Any
) -> PredictionPlan:
    """Plan a blur of an image."""
    model = load_model(network or Blur(), device="cpu")
    return plan_prediction(ArrayStack(image, axes), model, **settings)


def run_into(store: Any, plan: PredictionPlan, image: NDArray[Any], axes: str) -> None:
    """Predict an image into one write strategy."""
    model = load_model(Blur(2 if "Z" not in plan.layout.spatial_axes else 3), device="cpu")
    run_prediction(plan, ArrayStack(image, axes), model, writers=[(store, ".")])


@dataclass
class Log:
    """Everything a controller said."""

    controller: RunController
    said: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in (
            "state_changed",
            "progress_changed",
            "checks_changed",
            "estimate_changed",
            "review_changed",
            "problem_changed",
            "warned",
            "kept_changed",
            "failed",
        ):
            getattr(self.controller, name).connect(
                lambda value, name=name: self.said.append((name, value))
            )

    def of(self, name: str) -> list[Any]:
        """Everything one signal said."""
        return [value for said, value in self.said if said == name]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Stage:
    """A viewer, a controller, and ways to wait for it."""

    viewer: Any
    controller: RunController
    log: Log
    qtbot: Any

    def start(self, *layers: Any, model: Any = None, **settings: Any) -> None:
        """Press the button."""
        settings = {"area": EVERYTHING, "patch_size": (64, 64), "device": "cpu", **settings}
        self.controller.start(RunRequest(layers, Blur() if model is None else model, **settings))

    def until(self, *states: str) -> None:
        """Wait for one of some states."""
        self.qtbot.waitUntil(lambda: self.controller.state in states, timeout=WAIT_MS)

    def run(self, *layers: Any, **settings: Any) -> Any:
        """Denoise to the end; gives the last output layer."""
        self.start(*layers, **settings)
        self.until(*ENDS)
        assert self.controller.state == DONE, self.log.said[-3:]
        return self.controller.results.outputs[-1]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait for anything else."""
        self.qtbot.waitUntil(condition, timeout=WAIT_MS)


@pytest.fixture
def stage(make_napari_viewer: Any, qtbot: Any) -> Iterator[Stage]:
    """A real viewer with a controller; what still runs at the end is stopped."""
    viewer = make_napari_viewer(show=True)
    yield from _staged(viewer, qtbot)


@pytest.fixture
def model_stage(qtbot: Any) -> Iterator[Stage]:
    """A controller and napari's own model of a viewer, real slicing included, with no window."""
    yield from _staged(ViewerModel(), qtbot)


@pytest.fixture
def scene(make_napari_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The dock in a real window; what runs is told by a stand-in."""
    return opened_scene(make_napari_viewer(show=True), qtbot, monkeypatch)


def _staged(viewer: Any, qtbot: Any) -> Iterator[Stage]:
    controller = RunController(viewer)
    yield Stage(viewer, controller, Log(controller), qtbot)
    with qtbot.waitSignal(controller.destroyed):
        controller.deleteLater()


def noisy(shape: tuple[int, ...], seed: int = 0, dtype: Any = np.float32) -> NDArray[Any]:
    """An image of noise around 100."""
    rng = np.random.default_rng(seed)
    return rng.normal(100, 10, shape).astype(dtype)


def blurred(image: NDArray[Any], axes: str, **settings: Any) -> NDArray[Any]:
    """What a run must come to."""
    settings = {"patch_size": (64, 64), **settings}
    return predict(ArrayStack(image, axes), load_model(Blur(), device="cpu"), **settings)


def folder_of(output: Any) -> Path:
    """Folder of the store that a layer shows."""
    folder = store_path(output.data.store_path.store)
    assert folder is not None
    return folder


def finished(output: Any) -> int:
    """Pixels of an output in memory that are there."""
    return int(np.isfinite(output.data).sum())
