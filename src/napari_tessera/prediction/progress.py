"""How far a run is, and how fast: counted in the engine's threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from napari_tessera.prediction.batches import MODEL, Clock
from napari_tessera.prediction.joining import Predicted
from napari_tessera.prediction.out_of_memory import Notices
from napari_tessera.prediction.schedule import Schedule
from napari_tessera.stacks.absent import absent_chunks

if TYPE_CHECKING:
    import torch

    from napari_tessera.stacks import ImageStack


@dataclass(frozen=True)
class Progress:
    """Where a run stands; given to the progress callback from the engine's threads.

    Parameters
    ----------
    done, total : int
        Tiles finished (written) and tiles of the plan, those of earlier runs included.
    running : tuple of int
        Tiles that are at the model. (Neighbours that they are blended with are not named.)
    finished : tuple of int
        Tiles finished since the call before.
    seconds : float
        Time since the run began.
    pixels : int
        Core pixels predicted and finished in this run, channels counted.
    stage_seconds : mapping
        Busy time of each stage so far: ``"read"`` (summed over its threads), ``"model"``,
        ``"write"``.
    absent_chunks : int
        Chunks of the image, met since it was opened, that are not in its store.
    failed : tuple of int
        Tiles that were at work when an error ended the run; they wait again.
    warm_up_seconds : float or None
        Time until the first predicted tiles were finished: starting threads, and a model's first
        call, which compiles, belong to no tile. None before.
    measured_tiles, measured_pixels, measured_seconds : int, int, float
        Tiles predicted and finished since then, their core pixels, and the time up to the last
        of them.
    bottleneck : {"read", "model", "write"} or None
        What the run spent most of the time since then waiting for; None before there was one.
    device_bytes : int or None
        Most memory that tensors of this process took on an accelerator since the run began, on
        several together; None where the model runs on the CPU, or the device does not tell.
    notices : tuple of str
        What people should know of how it runs, one line each, as in `RunResult`.
    """

    done: int
    total: int
    running: tuple[int, ...]
    finished: tuple[int, ...]
    seconds: float
    pixels: int
    stage_seconds: Mapping[str, float]
    absent_chunks: int = 0
    failed: tuple[int, ...] = ()
    warm_up_seconds: float | None = None
    measured_tiles: int = 0
    measured_pixels: int = 0
    measured_seconds: float = 0.0
    bottleneck: str | None = None
    device_bytes: int | None = None
    notices: tuple[str, ...] = ()

    @property
    def tiles_per_second(self) -> float | None:
        """Speed without the warm-up; None before it can be told."""
        return self.measured_tiles / self.measured_seconds if self.measured_seconds > 0 else None

    @property
    def megapixels_per_second(self) -> float | None:
        """Core pixels, channels counted, a second, without the warm-up; None before."""
        pixels, seconds = self.measured_pixels, self.measured_seconds
        return pixels / seconds / 1e6 if seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Time that the missing tiles take at this speed; None before it can be told."""
        speed = self.tiles_per_second
        return (self.total - self.done) / speed if speed else None


class Tally:
    """Counts what a run does, and tells it. Thread-safe.

    Parameters
    ----------
    schedule : Schedule
        Knows which tiles are finished.
    stack : ImageStack
        The image.
    clock : Clock
        Times of the stages.
    devices : sequence of torch.device
        Where the model runs.
    tell : callable, optional
        Called with a `Progress`. Not called again once it has raised.
    notices : Notices, optional
        What is said meanwhile.
    """

    def __init__(
        self,
        schedule: Schedule,
        stack: ImageStack,
        clock: Clock,
        devices: Sequence[torch.device],
        tell: Callable[[Progress], None] | None,
        notices: Notices | None = None,
    ) -> None:
        self._schedule = schedule
        self._stack = stack
        self._clock = clock
        self._tell = tell
        self._memory = DeviceMemory(devices)
        self._notices = notices or Notices()
        self._lock = Lock()
        self._began = time.perf_counter()
        self._running: tuple[int, ...] = ()
        self._pixels = self._measured_tiles = self._measured_pixels = 0
        self._measured_seconds = 0.0
        self._warm_up: float | None = None
        self._held_before: dict[str, float] = {}
        self.nonfinite = 0
        """Input pixels of finished tiles that were NaN or infinite."""

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.perf_counter() - self._began

    def begin(self, tiles: tuple[int, ...]) -> None:
        """Say that tiles go to the model; none: that it is through."""
        self._running = tiles
        self.report()

    def through(self, left: tuple[int, ...] = ()) -> None:
        """Take note that a batch is through, and which tiles are left at the model."""
        self._running = left

    def finish(self, batch: Sequence[Predicted]) -> None:
        """Mark tiles as finished, and say so."""
        with self._lock:
            predicted = [each for each in batch if not each.known]
            pixels = sum(int(each.region.data.size) for each in predicted)
            for each in batch:
                self._schedule.finish(each.index)
                self.nonfinite += each.nonfinite
            self._pixels += pixels
            if self._warm_up is not None:
                self._measured_tiles += len(predicted)
                self._measured_pixels += pixels
                self._measured_seconds = self.seconds - self._warm_up
            elif predicted:
                self._warm_up = self.seconds
                self._held_before = dict(self._clock.held)
        self.report(finished=tuple(each.index for each in batch))

    def report(self, *, finished: tuple[int, ...] = (), failed: tuple[int, ...] = ()) -> None:
        """Say how far the run is."""
        # the thread that writes reports too, and one whose report failed ends all
        tell = self._tell
        if tell is None:
            return
        with self._lock:
            progress = Progress(
                done=self._schedule.n_done,
                total=self._schedule.n_wanted,
                running=() if failed else self._running,
                finished=finished,
                seconds=self.seconds,
                pixels=self._pixels,
                stage_seconds=dict(self._clock.seconds),
                absent_chunks=absent_chunks(self._stack),
                failed=failed,
                warm_up_seconds=self._warm_up,
                measured_tiles=self._measured_tiles,
                measured_pixels=self._measured_pixels,
                measured_seconds=self._measured_seconds if self._measured_tiles else 0.0,
                bottleneck=self._bottleneck(),
                device_bytes=self._memory.used(),
                notices=self._notices.said,
            )
        try:
            tell(progress)
        except BaseException:
            self._tell = None
            raise

    def _bottleneck(self) -> str | None:
        if not self._measured_tiles:
            return None
        since = {
            stage: seconds - self._held_before.get(stage, 0.0)
            for stage, seconds in self._clock.held.items()
        }
        return max(since, key=lambda stage: (since[stage], stage == MODEL))


class DeviceMemory:
    """Tells how much memory of an accelerator a run takes.

    Parameters
    ----------
    devices : sequence of torch.device
        Where the model runs. What was taken there before counts no more.
    """

    def __init__(self, devices: Sequence[torch.device]) -> None:
        self._devices = [device for device in dict.fromkeys(devices) if device.type == "cuda"]
        for device in self._devices:
            import torch

            torch.cuda.reset_peak_memory_stats(device)

    def used(self) -> int | None:
        """Most bytes that tensors took; None where the device does not tell."""
        if not self._devices:
            return None
        import torch

        return sum(int(torch.cuda.max_memory_allocated(device)) for device in self._devices)
