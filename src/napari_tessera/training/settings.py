"""What a training is asked to do, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real
from typing import Any

from napari_tessera.training.errors import TrainingError

METHODS = ("n2v", "n2v2", "supervised")
"""Noise2Void (uniform replacement), N2V2 (median replacement, no upper skip connection, blurred
pooling), and learning from clean (or a second noisy) images."""

FOREGROUND = "foreground"
"""The mask that is estimated: where there is something to be seen."""

LOSSES = ("auto", "l1", "l2")
SCHEDULES = ("cosine", "plateau")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")

_PATCH = {2: (64, 64), 3: (16, 64, 64)}
_BATCH = {2: 16, 3: 4}

# field: least, most
_WHOLE = {
    "batch_size": (1, 4096),
    "steps": (1, 10_000_000),
    "depth": (1, 6),
    "features": (1, 1024),
    "mask_window": (3, 99),
    "struct_span": (3, 99),
    "validate_every": (1, 1_000_000),
    "patience": (1, 10_000),
    "seed": (0, 2**31 - 1),
}
_NUMBERS = {
    "masked_percent": (0.01, 50.0),
    "learning_rate": (1e-8, 1.0),
    "weight_decay": (0.0, 1.0),
    "gradient_clip": (1e-3, 1e6),
    "ema": (0.0, 0.99999),
    "validation_percent": (0.0, 50.0),
}
_CHOICES: dict[str, tuple[object, ...]] = {
    "method": METHODS,
    "spatial_dims": (2, 3),
    "struct_axis": (None, "x", "y"),
    "loss": LOSSES,
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
}
_SWITCHES = ("independent_channels", "batch_norm", "augment")
_OF_MASKS = ("masked_percent", "mask_window", "struct_axis", "struct_span")
_MAY_BE_NONE = ("batch_size", "patience", "gradient_clip")


@dataclass(frozen=True)
class TrainingSettings:
    """What a training is asked to do.

    Parameters
    ----------
    method : {"n2v", "n2v2", "supervised"}
        What is learned from.
    spatial_dims : {2, 3}
        2: planes one by one, Z being one more axis of samples; 3: volumes.
    patch_size : tuple of int, optional
        (Z)YX in pixels, multiples of ``2 ** depth``. By default 64 × 64 or 16 × 64 × 64, less
        where the image is small.
    batch_size : int, optional
        Patches of a step. By default 16 in 2D, 4 in 3D.
    steps : int
        Changes of the weights.
    depth : int
        How often the network halves the size.
    features : int
        Channels of its first level, for each image channel where these are independent.
    independent_channels : bool
        Whether each channel has a network of its own.
    batch_norm : bool
        Whether it has batch norms.
    masked_percent : float
        Pixels of a patch that are replaced, and that the loss looks at, in per cent (N2V, N2V2).
    mask_window : int
        Side of the neighbourhood that replacements come from, in pixels; odd.
    struct_axis : {None, "x", "y"}
        Axis along which noise is correlated: neighbours along it are replaced too (structN2V).
        This, the span, the window and the share of masked pixels belong to N2V and N2V2; with
        another method they are refused, unless left as they are.
    struct_span : int
        How many pixels in a row these are, the masked one included; odd.
    loss : {"auto", "l1", "l2"}
        Mean absolute or mean square difference; "auto" is "l2", which keeps the mean grey value,
        with noisy targets as well. N2V and N2V2 have no other.
    learning_rate : float
        Of AdamW, at its highest.
    weight_decay : float
        Of AdamW: share of a weight taken off, times the learning rate.
    gradient_clip : float, optional
        Largest norm of the gradient; None for no limit.
    schedule : {"cosine", "plateau"}
        The learning rate falls to zero along half a cosine, or by half where validation has found
        no gain a few times.
    ema : float
        Share of the old in the average of the weights at each step (less in the first steps).
    precision : {"auto", "float32", "bfloat16", "float16"}
        What the network computes in. "auto" takes what the device is fast in: GPUs a half where
        they are made for it, CPUs bfloat16 where they have instructions for it (and volumes have
        planes enough), else float32.
    validation_percent : float
        Part of the image that is held out of training and validated on; 0 for none.
    validate_every : int
        Steps between validations.
    patience : int, optional
        Validations without gain after which the training ends early; None for never.
    augment : bool
        Whether patches are flipped and turned by quarters in Y and X.
    seed : int
        Of weights, patches and masks: on a CPU with the same number of threads, the same seed
        gives the same network.

    Raises
    ------
    TrainingError
        Naming field, value and limit.
    """

    method: str = "n2v"
    spatial_dims: int = 2
    patch_size: tuple[int, ...] | None = None
    batch_size: int | None = None
    steps: int = 4000
    depth: int = 2
    features: int = 32
    independent_channels: bool = True
    batch_norm: bool = True
    masked_percent: float = 0.2
    mask_window: int = 11
    struct_axis: str | None = None
    struct_span: int = 5
    loss: str = "auto"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    gradient_clip: float | None = 1.0
    schedule: str = "cosine"
    ema: float = 0.999
    precision: str = "auto"
    validation_percent: float = 10.0
    validate_every: int = 200
    patience: int | None = None
    augment: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            _check_choice(name, getattr(self, name), known)
        for name in _SWITCHES:
            _check_choice(name, getattr(self, name), (True, False))
        for name, (low, high) in (_WHOLE | _NUMBERS).items():
            value = getattr(self, name)
            if value is not None or name not in _MAY_BE_NONE:
                value = _checked_number(name, value, low, high, whole=name in _WHOLE)
                object.__setattr__(self, name, value)
        for name in ("mask_window", "struct_span"):
            if getattr(self, name) % 2 == 0:
                raise TrainingError(
                    f"{_words(name)} {getattr(self, name)} is even and has no middle; use "
                    f"{getattr(self, name) + 1}",
                    name,
                )
        if self.patch_size is not None:
            object.__setattr__(self, "patch_size", self._checked_patch(self.patch_size))
        if self.self_supervised and self.loss == "l1":
            raise TrainingError(
                f"loss 'l1' cannot be used with {self.method}: the replaced pixels need 'l2'; "
                "use 'auto'",
                "loss",
            )
        self._check_applies()
        if self.schedule == "plateau" and not self.validation_percent:
            raise TrainingError(
                "schedule 'plateau' looks at validation, and validation percent is 0; use 'cosine'",
                "schedule",
            )
        if self.patience is not None and not self.validation_percent:
            raise TrainingError(
                f"patience {self.patience} looks at validation, and validation percent is 0; "
                "hold out 10 %, or use no patience",
                "patience",
            )

    def _check_applies(self) -> None:
        """Refuse what was set and would do nothing."""
        for name in () if self.self_supervised else _OF_MASKS:
            if getattr(self, name) != getattr(type(self), name):
                raise TrainingError(
                    f"{_words(name)} {getattr(self, name)} is of no use to method 'supervised', "
                    f"which hides no pixels; leave it out, or use method 'n2v'",
                    name,
                )
        if self.struct_axis is None and self.struct_span != type(self).struct_span:
            raise TrainingError(
                f"struct span {self.struct_span} has no axis; use struct axis 'x' or 'y' too",
                "struct_span",
            )

    @property
    def self_supervised(self) -> bool:
        """Whether it learns from the noisy image alone."""
        return self.method != "supervised"

    @property
    def period(self) -> int:
        """What sizes of patches are multiples of, in pixels."""
        return int(2**self.depth)

    def resolved(
        self, data_shape: Sequence[int], *, whole_samples: bool = False
    ) -> TrainingSettings:
        """Decide what was left open.

        Parameters
        ----------
        data_shape : sequence of int
            SC(Z)YX of the image, folded as it is trained on: SCYX in 2D, SCZYX in 3D.
        whole_samples : bool
            Whether whole planes, time points or samples are held out, and no box of each.

        Returns
        -------
        TrainingSettings
            With patch size, batch size and loss. A patch is at most half of the image in Y and X
            where a box of it is held out, so that both parts have room for one.

        Raises
        ------
        TrainingError
            If the image is smaller than the smallest patch.
        """
        patch = self.patch_size
        if patch is None:
            in_box = bool(self.validation_percent) and not whole_samples
            patch = self._suitable_patch(data_shape[-self.spatial_dims :], in_box)
        return replace(
            self,
            patch_size=patch,
            batch_size=self.batch_size or _BATCH[self.spatial_dims],
            loss="l2" if self.loss == "auto" else self.loss,
        )

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values for JSON."""
        values = asdict(self)
        if self.patch_size is not None:
            values["patch_size"] = list(self.patch_size)
        return values

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrainingSettings:
        """Read what `to_json` gave; fields that are not there have their defaults.

        Raises
        ------
        TrainingError
            If a field is unknown, or its value out of range.
        """
        known = {field.name for field in fields(cls)}
        for name in data:
            if name not in known:
                raise TrainingError(f"there is no training setting {name!r}; leave it out", name)
        return cls(**data)

    def _checked_patch(self, given: object) -> tuple[int, ...]:
        name = "patch_size"
        if not isinstance(given, Iterable) or isinstance(given, str):
            raise TrainingError(f"patch size {given!r} is no row of whole numbers", name)
        sizes = tuple(
            int(_checked_number(name, one, self.period, 4096, whole=True)) for one in given
        )
        if len(sizes) != self.spatial_dims:
            raise TrainingError(
                f"patch size {sizes} has {len(sizes)} numbers and training is in "
                f"{self.spatial_dims}D; give {self.spatial_dims}",
                name,
            )
        for one in sizes:
            if one % self.period:
                raise TrainingError(
                    f"patch size {one} is no multiple of {self.period}, which depth {self.depth} "
                    f"needs; use {round_up(one, self.period)}",
                    name,
                )
        return sizes

    def _suitable_patch(self, space: Sequence[int], in_box: bool) -> tuple[int, ...]:
        sizes = []
        for at, (size, wanted) in enumerate(zip(space, _PATCH[self.spatial_dims], strict=True)):
            room = size // 2 if in_box and at >= len(space) - 2 else size
            fitting = min(round_up(wanted, self.period), max(room, self.period))
            if size < self.period:
                ways_out = ["use less depth"] * (self.depth > 1 and min(space) > 1)
                flat = len(space) == 3 and min(space[1:]) >= self.period
                ways_out.append("train in 2D" if flat else "train on a larger image")
                raise TrainingError(
                    f"the image has {'×'.join(map(str, space))} pixels, and a network of depth "
                    f"{self.depth} needs {self.period} along each axis; {', or '.join(ways_out)}",
                    "image",
                )
            sizes.append(fitting // self.period * self.period)
        # square, so that patches can be turned
        sizes[-2:] = [min(sizes[-2:])] * 2
        return tuple(sizes)


def round_up(size: int, period: int) -> int:
    """The smallest multiple of a period that is not below a size."""
    return -(-size // period) * period


def _words(name: str) -> str:
    return name.replace("_", " ")


def _check_choice(name: str, value: object, known: Sequence[object]) -> None:
    # 1 and True are equal, but no switch is a number
    if not any(value == one and type(value) is type(one) for one in known):
        named = ", ".join(map(str, known))
        raise TrainingError(f"{_words(name)} {value!r} is none of {named}", name)


def _checked_number(
    name: str, value: object, low: float, high: float, *, whole: bool
) -> int | float:
    """A number of Python or NumPy as one of Python, which JSON takes."""
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        kind = "whole number" if whole else "number"
        raise TrainingError(f"{_words(name)} {value!r} is no {kind}", name)
    value = int(value) if isinstance(value, Integral) else float(value)
    # a NaN is in no range
    if not low <= value <= high:
        raise TrainingError(
            f"{_words(name)} {value} is outside {_limit(low)}…{_limit(high)}; use a value in "
            "between",
            name,
        )
    return value


def _limit(number: float) -> str:
    """A whole number with all of its digits, others as short as can be."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
