"""What coordinator and workers say to each other: small, picklable, free of Dask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_tessera.prediction.block_run import BlockResult

BLOCK = "block"
"""Kind of a task: a block of the full size."""

LEVEL = "level-"
"""How kinds of tasks begin that build a block of a smaller level; its number follows."""

PREPARING, FIT, UNFIT = "preparing", "fit", "unfit"
"""What a worker says of itself."""

State = Literal["done", "failed", "stopped", "stranger", "unfit"]


def level_kind(level: int) -> str:
    """Kind of a task that builds a block of a level, from 1 on."""
    return f"{LEVEL}{level}"


@dataclass(frozen=True)
class Outcome:
    """How a task ended on a worker.

    Parameters
    ----------
    state : {"done", "failed", "stopped", "stranger", "unfit"}
        ``"stranger"``: the worker knows nothing of the run; ``"unfit"``: it cannot take part in it.
        Neither says anything of the block.
    number : int
        Of the block.
    worker : str
        Address of the worker.
    message : str
        What went wrong, in one line.
    fatal : bool
        Whether it will go wrong for every block, on every worker.
    result : BlockResult or None
        Of a block of the full size that is done.
    """

    state: State
    number: int
    worker: str
    message: str = ""
    fatal: bool = False
    result: BlockResult | None = None


@dataclass(frozen=True)
class Machine:
    """What the last bits of a prediction depend on.

    Parameters
    ----------
    device : str
        Kind of device and what it is called, or the instructions of a CPU.
    threads : int
        Threads of the model on a CPU.
    """

    device: str
    threads: int

    def __str__(self) -> str:
        return f"{self.device}, {self.threads} thread{'' if self.threads == 1 else 's'}"


@dataclass(frozen=True)
class Look:
    """What a worker says when it is asked how it stands.

    Parameters
    ----------
    state : str
        One of `PREPARING`, `FIT`, `UNFIT`.
    why : str
        Why it is unfit, in one line.
    kind, number : str, int or None
        What it is at work on; None where it waits.
    tiles, total : int
        Tiles of that block that are predicted, of how many.
    process : str
        Computer and process, so that workers of one process are known as such.
    machine : Machine or None
        What it computes with, once it is fit.
    """

    state: str
    why: str = ""
    kind: str = ""
    number: int | None = None
    tiles: int = 0
    total: int = 0
    process: str = ""
    machine: Machine | None = None


@dataclass(frozen=True)
class RunSpec:
    """What every worker is told of a run before it takes part.

    Parameters
    ----------
    name : str
        Name of the run on this cluster.
    plan : str
        The plan as JSON.
    image : ImagePlace
        Where the image is read.
    model : ModelSpec
        The model.
    resource : str
        Name of the Dask resource of which each worker has one, so that it does one block at a time.
    memory_limit : int
        Bytes of begun chunks that a worker keeps in memory.
    """

    name: str
    plan: str
    image: ImagePlace
    model: ModelSpec
    resource: str
    memory_limit: int


@dataclass(frozen=True)
class ImagePlace:
    """How a worker opens the image.

    Parameters
    ----------
    source : str or tuple of str
        Path, URL or several paths, as `open_stack` takes them; absolute.
    axes : str
        The image's own axes.
    channels : tuple of int or None
        Channels that it consists of.
    """

    source: str | tuple[str, ...]
    axes: str
    channels: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        if isinstance(self.source, str):
            return self.source
        return f"{self.source[0]} and {len(self.source) - 1} further files"


@dataclass(frozen=True)
class LoadOptions:
    """How a worker loads a model.

    Parameters
    ----------
    device : str
        ``"auto"`` or ``"cpu"``.
    spatial_dims, in_channels : int, int or None
        As the client found them.
    prepare : bool
        Whether it is rewritten for speed.
    """

    device: str
    spatial_dims: int
    in_channels: int | None
    prepare: bool


@dataclass(frozen=True)
class ModelSpec:
    """The model of a run: by the contents that were sent before, each for all channels or one.

    Parameters
    ----------
    parcels : tuple of (int or None, str, LoadOptions)
        Channel (None: all), hash of the parcel, how it is loaded.
    sha256 : str
        Of the model as a whole.
    device : str
        Kind of the device that it runs on where the run was planned.
    """

    parcels: tuple[tuple[int | None, str, LoadOptions], ...]
    sha256: str
    device: str


@dataclass(frozen=True)
class OutputPlace:
    """Where workers write.

    Parameters
    ----------
    where : str
        Path or URL.
    run_id : str
        Of the run that the image was begun for.
    """

    where: str
    run_id: str
