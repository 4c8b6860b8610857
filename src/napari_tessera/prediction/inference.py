"""A batch of tiles through the model."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.plan import PlanError, PredictionPlan
from napari_tessera.prediction.tile_io import Tile, crop

if TYPE_CHECKING:
    from napari_tessera.models import Model


class TileModel:
    """Normalizes, runs the model, undoes the normalization and crops.

    A context manager to be used in one thread: torch's number of threads binds to the thread
    that runs the model, and is put back at the end.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    model : Model
        The model.
    """

    def __init__(self, plan: PredictionPlan, model: Model) -> None:
        if plan.precision != model.precision:
            raise PlanError(
                f"the plan is for {plan.precision}, the model is loaded for {model.precision}: "
                f"load it with precision={plan.precision!r}",
                "plan",
            )
        self._plan = plan
        self._model = model
        self._threads: int | None = None

    def __enter__(self) -> Self:
        import torch

        wanted = self._plan.settings.torch_threads
        if wanted is not None and wanted != torch.get_num_threads():
            self._threads = torch.get_num_threads()
            torch.set_num_threads(wanted)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import torch

        if self._threads is not None:
            torch.set_num_threads(self._threads)

    def __call__(self, tiles: Sequence[Tile]) -> list[NDArray[Any]]:
        """Predict tiles.

        Parameters
        ----------
        tiles : sequence of Tile
            At most ``batch_size``; fewer are filled up, so that the model always sees one shape.

        Returns
        -------
        list of numpy.ndarray
            Core of each tile, ``C(Z)YX``, in grey levels: float32, or float64 where the output
            can hold more.

        Raises
        ------
        ModelError
            If the model answers with another shape than it did for the plan.
        """
        import torch

        missing = self._plan.settings.batch_size - len(tiles)
        filled = [*tiles, *[tiles[-1]] * missing]
        device = self._model.device
        # no_grad and not inference_mode: a function may want gradients inside.
        with torch.no_grad():
            pixels = torch.from_numpy(np.stack([tile.pixels for tile in filled])).to(device)
            std = torch.from_numpy(np.stack([tile.std for tile in filled])).to(device)
            std = std.reshape(*std.shape, *(1,) * (pixels.ndim - 2))
            out = self._model(pixels / std)
            self._check(tuple(out.shape), tuple(pixels.shape))
            if out.shape[1] != pixels.shape[1]:
                # Other channels than went in: they share the grey levels of all.
                std = std.mean(dim=1, keepdim=True)
            out = out * std
            cores = [
                crop(tile.specs, predicted).cpu().numpy()
                for tile, predicted in zip(tiles, out, strict=False)
            ]
        return [self._with_mean(tile, core) for tile, core in zip(tiles, cores, strict=True)]

    def _check(self, made: tuple[int, ...], given: tuple[int, ...]) -> None:
        """Raise unless the model answers as it did when it was planned with."""
        from napari_tessera.models import ModelError

        channels = self._plan.output_channels
        if self._plan.layout.fold.endswith("C") or channels is None:
            channels = 1
        expected = (given[0], channels, *given[2:])
        if made != expected:
            raise ModelError(
                f"the model {self._model.name} made {made} of a tile batch {given}, {expected} was "
                "expected: a model must answer alike for every tile"
            )

    def _with_mean(self, tile: Tile, core: NDArray[np.float32]) -> NDArray[Any]:
        """Add the mean again, in float64 where the output can hold more than float32 can."""
        output = np.dtype(self._plan.output_dtype)
        wide = np.float64 if output.itemsize > 2 and output != np.float32 else np.float32
        mean = tile.mean if core.shape[0] == tile.mean.size else tile.mean.mean(keepdims=True)
        shaped: NDArray[Any] = mean.astype(wide).reshape(-1, *(1,) * (core.ndim - 1))
        return np.ascontiguousarray(np.add(core, shaped))
