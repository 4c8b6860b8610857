"""What a patching strategy is made from, besides the images: values that go to JSON and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from napari_tessera.patching.checks import (
    check_alignment,
    check_number,
    check_overlaps,
    check_patch_size,
    shown,
)
from napari_tessera.patching.spec_checks import PATCH_KEYS, TILE_KEYS, check_patch_specs
from napari_tessera.patching.types import PatchSpecs


class _Config:
    """What all configurations share: a name that is fixed, and the way to a dict."""

    name: str

    def _set(self, **values: object) -> None:
        """Set checked values once, while the frozen configuration is made."""
        wanted = type(self).name
        if self.name != wanted:
            raise ValueError(
                f"name {shown(self.name)} is not that of {type(self).__name__}; use {wanted!r}"
            )
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """The configuration in what JSON knows: numbers, texts, lists and dicts.

        `patching_config_from_dict` makes an equal one of it.
        """
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class TiledPatchingConfig(_Config):
    """Tiles for prediction: see `TiledPatching`.

    Parameters
    ----------
    patch_size : sequence of int
        Tile size in (Z)YX, in pixels.
    overlaps : sequence of int
        Overlap of neighbouring tiles in (Z)YX, in total: even, at least 0, less than the patch.
    alignment : int or sequence of int, default 1
        Every tile starts on a multiple of it; patch size and overlaps are multiples of it.

    Raises
    ------
    ValueError
        Naming the axis, the value and what would do.
    """

    name: Literal["tiled"] = "tiled"
    patch_size: Sequence[int]
    overlaps: Sequence[int]
    alignment: int | Sequence[int] = 1

    def __post_init__(self) -> None:
        patch_size = check_patch_size(self.patch_size)
        overlaps, per_axis = check_alignment(self.alignment, patch_size, self.overlaps)
        alignment = per_axis if isinstance(self.alignment, Iterable) else per_axis[0]
        self._set(patch_size=patch_size, overlaps=overlaps, alignment=alignment)


@dataclass(frozen=True, kw_only=True)
class WholePatchingConfig(_Config):
    """One patch per sample: see `WholeSamplePatching`."""

    name: Literal["whole"] = "whole"

    def __post_init__(self) -> None:
        self._set()


@dataclass(frozen=True, kw_only=True)
class _SeededConfig(_Config):
    """A patch size and a seed that can be written down."""

    name: str
    patch_size: Sequence[int]
    seed: int | Sequence[int] | None = None

    def __post_init__(self) -> None:
        self._set(patch_size=check_patch_size(self.patch_size), seed=_seed(self.seed))


@dataclass(frozen=True, kw_only=True)
class RandomPatchingConfig(_SeededConfig):
    """Random patches for training: see `RandomPatching`.

    Parameters
    ----------
    patch_size : sequence of int
        Patch size in (Z)YX, in pixels.
    seed : int, sequence of int or None, default None
        Whole numbers of 0 or more; None is another seed each time.

    Raises
    ------
    ValueError
        Naming the axis, the value and what would do.
    """

    name: Literal["random"] = "random"


@dataclass(frozen=True, kw_only=True)
class FixedRandomPatchingConfig(_SeededConfig):
    """Random patches that stay the same: see `FixedRandomPatching`.

    Parameters and errors are those of `RandomPatchingConfig`.
    """

    name: Literal["fixed_random"] = "fixed_random"


@dataclass(frozen=True, kw_only=True)
class StratifiedPatchingConfig(_SeededConfig):
    """Random patches spread evenly: see `StratifiedPatching`.

    Parameters and errors are those of `RandomPatchingConfig`.
    """

    name: Literal["stratified"] = "stratified"


@dataclass(frozen=True, kw_only=True)
class SequentialPatchingConfig(_Config):
    """Patches on a regular grid: see `SequentialPatching`.

    Parameters
    ----------
    patch_size : sequence of int
        Patch size in (Z)YX, in pixels.
    overlaps : sequence of int or None, default None
        Overlap of neighbouring patches in (Z)YX, in total: even, at least 0, less than the patch.
        None is 0 along every axis.

    Raises
    ------
    ValueError
        Naming the axis, the value and what would do.
    """

    name: Literal["sequential"] = "sequential"
    patch_size: Sequence[int]
    overlaps: Sequence[int] | None = None

    def __post_init__(self) -> None:
        patch_size = check_patch_size(self.patch_size)
        overlaps = None if self.overlaps is None else check_overlaps(self.overlaps, patch_size)
        self._set(patch_size=patch_size, overlaps=overlaps)


@dataclass(frozen=True, kw_only=True)
class FixedPatchingConfig(_Config):
    """Patches given one by one: see `FixedPatching`.

    Parameters
    ----------
    fixed_patch_specs : sequence of PatchSpecs or TileSpecs
        Checked and copied; to be read, not written. Only the entries of a patch or tile can be
        written down, so there may be no others.

    Raises
    ------
    ValueError
        Naming the specification, the axis and the value.
    """

    name: Literal["fixed"] = "fixed"
    fixed_patch_specs: Sequence[PatchSpecs]

    def __post_init__(self) -> None:
        specs = check_patch_specs(self.fixed_patch_specs)
        for i, spec in enumerate(specs):
            for key in spec:
                if key not in PATCH_KEYS + TILE_KEYS:
                    raise ValueError(
                        f"patch spec {i}: {shown(key)} is no entry of a patch; leave it out, or "
                        f"give the specs to FixedPatching itself"
                    )
        self._set(fixed_patch_specs=specs)

    def __hash__(self) -> int:
        return hash((self.name, *(frozenset(spec.items()) for spec in self.fixed_patch_specs)))


PatchingConfig: TypeAlias = (
    TiledPatchingConfig
    | WholePatchingConfig
    | RandomPatchingConfig
    | FixedRandomPatchingConfig
    | StratifiedPatchingConfig
    | SequentialPatchingConfig
    | FixedPatchingConfig
)
"""Any patching configuration."""


def patching_config_from_dict(settings: Mapping[str, Any]) -> PatchingConfig:
    """Patching configuration from what its ``to_dict`` gave, or from a dict written by hand.

    Parameters
    ----------
    settings : mapping
        ``name`` and the settings of the strategy of that name; those with a default may be left
        out.

    Raises
    ------
    ValueError
        If the name is missing or unknown, a setting is missing, unknown or wrong: naming it.
    """
    if not isinstance(settings, Mapping):
        raise ValueError(f"{shown(settings)} is no patching configuration; give a dict")
    by_name = {kind.name: kind for kind in get_args(PatchingConfig)}
    if "name" not in settings:
        raise ValueError(f"a patching configuration needs a 'name': one of {', '.join(by_name)}")
    name = settings["name"]
    if not isinstance(name, str) or name not in by_name:
        raise ValueError(f"name {shown(name)} is no patching; use one of {', '.join(by_name)}")
    known = {field.name: field for field in fields(by_name[name])}
    for key in settings:
        if key not in known:
            raise ValueError(f"{name} patching has no {shown(key)}; it has {', '.join(known)}")
    for key, field in known.items():
        if key not in settings and field.default is MISSING:
            raise ValueError(f"{name} patching needs {key!r}; give it")
    config: PatchingConfig = by_name[name](**settings)
    return config


def _seed(seed: object) -> int | tuple[int, ...] | None:
    if seed is None:
        return None
    if isinstance(seed, Iterable) and not isinstance(seed, str | bytes | Set | Mapping):
        return tuple(check_number("seed", number, minimum=0) for number in seed)
    return check_number("seed", seed, minimum=0)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
