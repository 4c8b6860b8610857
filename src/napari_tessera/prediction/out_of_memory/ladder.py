"""The model with less and less at once, until memory is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from napari_tessera.prediction.out_of_memory.notices import Notices
from napari_tessera.prediction.out_of_memory.parts import most_cuts, parts

if TYPE_CHECKING:
    from torch import Tensor

    from napari_tessera.models import Model
    from napari_tessera.prediction.plan import PredictionPlan
    from napari_tessera.prediction.tile_io import Tile

Made = TypeVar("Made")

_ALL = slice(None)


class WithinMemory:
    """Runs models on batches, and tries again with less at once where memory runs out.

    First half of the batch goes through the model at once, and half of that; then each tile is
    computed in parts (`parts`), which for a local network makes the same prediction; then the
    model is put on the CPU. What was come down to stays for the run, for each model; a run that
    follows begins anew. Where nothing ran out, this is a call of the model and no more.

    Used in one thread.

    Parameters
    ----------
    plan : PredictionPlan
        What is run: errors name its tiles.
    notices : Notices
        Is told of each step down.
    """

    def __init__(self, plan: PredictionPlan, notices: Notices) -> None:
        self._patch = plan.patch_size
        self._notices = notices
        self._rungs: dict[Model, _Rung] = {}

    def __call__(self, model: Model, batch: Tensor) -> Tensor:
        """Run a model on a batch.

        Parameters
        ----------
        model : Model
            The model; on the CPU, or where `run` asks for it.
        batch : Tensor
            float32, NC(Z)YX, on the model's device.

        Returns
        -------
        Tensor
            float32, NC(Z)YX there, of the same size.

        Raises
        ------
        MemoryError
            If there is too little memory for all that can be tried on that device.
        Exception
            Whatever else the model raises, as it is.
        """
        rung = self._rungs.get(model)
        while True:
            try:
                return model(batch) if rung is None else rung.run(model, batch)
            except Exception as error:
                if not is_short(error):
                    raise
                why = _let_go(error)
            # Out of the clause above, so that nothing holds the tensors of the call that failed.
            _give_back(model)
            rung = self._rungs.setdefault(model, _Rung())
            said = rung.step_down(model, batch)
            if said is None:
                raise NoRoomError(self._hopeless(model, why))
            self._notices.say(said)

    def run(
        self, model: Model, tiles: Sequence[Tile], predict: Callable[[Model, Sequence[Tile]], Made]
    ) -> Made:
        """Predict tiles with a model where it is, or with a copy on the CPU.

        Parameters
        ----------
        model : Model
            The model.
        tiles : sequence of Tile
            The tiles.
        predict : callable
            Takes a model and the tiles, brings these to the model's device and runs it, by
            `__call__` of this object. Called again with a copy of the model where memory ran out.

        Raises
        ------
        MemoryError
            If memory ran out on the CPU too.
        """
        rung = self._rungs.get(model)
        if rung is None or rung.on_cpu is None:
            try:
                return predict(model, tiles)
            except Exception as error:
                if is_cpu(model) or not model.can_move or not is_short(error):
                    raise
                _let_go(error)
            _give_back(model)
            rung = self._rungs.setdefault(model, _Rung())
            rung.on_cpu = copy_on_cpu(model)
            self._notices.say(
                f"out of memory on {model.device}{_also_in_parts(rung)}: the tiles that are left "
                "are computed on the CPU, which takes longer and may change the last digits; "
                "another run with smaller tiles may stay there"
            )
        return predict(rung.on_cpu, tiles)

    def _hopeless(self, model: Model, why: str) -> str:
        size = "×".join(map(str, self._patch))
        return (
            f"out of memory on {model.device} with one tile of {size}: use a smaller patch size, "
            f"or free memory ({why})"
        )


class NoRoomError(MemoryError):
    """There is too little memory for even the least that can be run at once."""


class _Rung:
    """How much of a batch goes through one model at once."""

    def __init__(self) -> None:
        self.most: int | None = None
        self.cuts = 0
        self.on_cpu: Model | None = None

    def run(self, model: Model, batch: Tensor) -> Tensor:
        """Run as much at once as goes through, one after the other."""
        import torch

        most = self.most or len(batch)
        made = []
        for some in torch.split(batch, most):
            # one shape for all, so that kernels do not change
            missing = most - len(some)
            if missing and len(batch) > most:
                filled = torch.cat([some, some[-1:].expand(missing, *some.shape[1:])])
                made.append(self._in_parts(model, filled)[: len(some)])
            else:
                made.append(self._in_parts(model, some))
        return made[0] if len(made) == 1 else torch.cat(made)

    def _in_parts(self, model: Model, batch: Tensor) -> Tensor:
        size = batch.shape[2:]
        cut = parts(size, model.geometry, self.cuts) if self.cuts else ()
        if len(cut) < 2:
            return model(batch)
        whole: Tensor | None = None
        for part in cut:
            made = model(batch[(_ALL, _ALL, *part.given)].contiguous())
            if whole is None:
                whole = made.new_empty((*made.shape[:2], *size))
            whole[(_ALL, _ALL, *part.place)] = made[(_ALL, _ALL, *part.inner)]
        assert whole is not None
        return whole

    def step_down(self, model: Model, batch: Tensor) -> str | None:
        """Take less at once.

        Returns
        -------
        str or None
            What people are told; None where there is nothing less.
        """
        now = min(self.most or len(batch), len(batch))
        if now > 1:
            self.most = now // 2
            what = "1 is run" if self.most == 1 else f"{self.most} are run"
            return (
                f"out of memory on {model.device} with {now} tiles at once: from here on "
                f"{what} at once"
            )
        if self.cuts >= most_cuts(batch.shape[2:], model.geometry):
            return None
        self.cuts += 1
        return (
            f"out of memory on {model.device} with a single tile: from here on tiles are computed "
            "in smaller parts, with the same result"
        )


def _also_in_parts(rung: _Rung) -> str:
    return ", with tiles in smaller parts too" if rung.cuts else ""


def is_cpu(model: Model) -> bool:
    """Whether a model runs on the CPU, so that there is nowhere else to go."""
    return model.device.type == "cpu"


def copy_on_cpu(model: Model) -> Model:
    """The same model on the CPU, where not all that a network does is there in float16."""
    return model.to("cpu", "float32" if model.precision == "float16" else model.precision)


def is_short(error: BaseException) -> bool:
    """Whether memory ran out."""
    from napari_tessera.models.short_memory import is_out_of_memory

    return is_out_of_memory(error)


def _let_go(error: BaseException) -> str:
    from napari_tessera.models.short_memory import let_go

    return let_go(error)


def _give_back(model: Model) -> None:
    from napari_tessera.models.short_memory import give_back

    give_back(model.device)
