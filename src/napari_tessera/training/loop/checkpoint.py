"""The state of a training in a file: written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from napari_tessera.models.short_memory import is_out_of_memory
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings
from napari_tessera.whole_files import partials_of, whole_file

FORMAT = 1
"""Counted up when stored states can no longer be read as they were meant."""

_KEY = "napari_tessera_training"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training.

    Parameters
    ----------
    settings : TrainingSettings
        What is trained.
    fingerprint : str
        Of the data.
    step : int
        Steps done.
    tensors : mapping of str to Tensor
        Weights, their averages, moments of the optimizer.
    values : mapping
        The rest, plain values for JSON.
    """

    settings: TrainingSettings
    fingerprint: str
    step: int
    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]

    def part(self, name: str) -> dict[str, Tensor]:
        """Tensors whose names begin with ``name/``, without it."""
        start = f"{name}/"
        return {
            key.removeprefix(start): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(start)
        }

    def check_fits(self, path: Path, settings: TrainingSettings, fingerprint: str) -> None:
        """Raise TrainingError, saying what differs, unless it is of this training."""
        before, now = self.settings.to_json(), settings.to_json()
        differing = [name for name in now if before[name] != now[name]]
        if differing:
            each = "; ".join(
                f"{name.replace('_', ' ')} was {before[name]}, is {now[name]}" for name in differing
            )
            raise TrainingError(
                f"{path.name} is of a training with other settings ({each}); use those, or begin "
                "anew",
                differing[0],
            )
        if self.fingerprint != fingerprint:
            raise TrainingError(
                f"{path.name} is of a training on other data: image, target, mask or the part "
                "held out differs; use those, or begin anew",
                "checkpoint",
            )


def write_checkpoint(path: Path, state: Checkpoint) -> None:
    """Write a state, so that at any moment there is the old or the new one, whole.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced.
    state : Checkpoint
        What is written.

    Raises
    ------
    OSError
        If it cannot be written, in one line; the old one is still there.
    """
    document = {
        "format": FORMAT,
        "settings": state.settings.to_json(),
        "fingerprint": state.fingerprint,
        "step": state.step,
        "values": dict(state.values),
    }
    tensors = {name: one.detach().cpu().contiguous() for name, one in state.tensors.items()}
    content = save(tensors, {_KEY: json.dumps(document, allow_nan=False)})
    with whole_file(path, overwrite=True) as partial:
        partial.write_bytes(content)


def clear_leftovers(path: Path) -> None:
    """Delete what writers of this state left that were killed."""
    for left in partials_of(path):
        left.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a state. No file can run anything: there are numbers and text in it.

    Raises
    ------
    TrainingError
        If the file is none, or one of another version.
    OSError
        If it cannot be read.
    """
    # so that a file that is missing or may not be read says so itself
    with path.open("rb"):
        pass
    with told_of_damage(path):
        with safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})[_KEY])
            if document["format"] != FORMAT:
                raise TrainingError(
                    f"{path.name} is of version {document['format']}, this software reads "
                    f"{FORMAT}; begin anew",
                    "checkpoint",
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        settings = TrainingSettings.from_json(document["settings"])
        step, values = int(document["step"]), dict(document["values"])
        if not 0 <= step <= settings.steps:
            raise ValueError(f"step {step} of {settings.steps}")
        return Checkpoint(settings, str(document["fingerprint"]), step, tensors, values)


@contextmanager
def told_of_damage(path: Path) -> Iterator[None]:
    """Say in one line, as a TrainingError, that a state is none, whatever is wrong with it."""
    try:
        yield
    except TrainingError:
        raise
    except (
        SafetensorError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        if is_out_of_memory(error):
            raise
        raise TrainingError(
            f"{path.name} is no state of a training ({type(error).__name__}); begin anew, or name "
            "another model",
            "checkpoint",
        ) from error
