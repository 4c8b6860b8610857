"""``load_model``: any model, from where people have it."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, overload

import torch
from torch import nn

from napari_tessera.home_paths import from_home
from napari_tessera.models.about import About
from napari_tessera.models.builtin import BUILTIN_NAMES, PREFIX, load_builtin
from napari_tessera.models.devices import Devices
from napari_tessera.models.errors import ModelError, message_line
from napari_tessera.models.file_kinds import describe_refusal, file_kind
from napari_tessera.models.hashing import hash_callable, hash_file, hash_module
from napari_tessera.models.loaded import Loaded
from napari_tessera.models.loaders import LOADERS
from napari_tessera.models.model import Model
from napari_tessera.models.per_channel import ChannelModels, on_one_device
from napari_tessera.models.signature import find_signature

CHEAP_TEST = 2**19
"""Pixels of the test tensor up to which the test that a package brings is run while loading."""

Source = str | PathLike[str] | nn.Module | Callable[..., Any] | Model


@overload
def load_model(
    source: Mapping[int, Source] | ChannelModels,
    *,
    device: Devices = ...,
    precision: str = ...,
    spatial_dims: int | None = ...,
    in_channels: int | None = ...,
    prepare: bool | None = ...,
) -> ChannelModels: ...


@overload
def load_model(
    source: Source,
    *,
    device: Devices = ...,
    precision: str = ...,
    spatial_dims: int | None = ...,
    in_channels: int | None = ...,
    prepare: bool | None = ...,
) -> Model: ...


def load_model(
    source: Source | Mapping[int, Source] | ChannelModels,
    *,
    device: Devices = "auto",
    precision: str = "auto",
    spatial_dims: int | None = None,
    in_channels: int | None = None,
    prepare: bool | None = None,
) -> Model | ChannelModels:
    """Load a model.

    Parameters
    ----------
    source : str, path, nn.Module, callable or Model, or a mapping of channels to these
        * ``"builtin:NAME"``.
        * The path of a file or folder, whose kind is told by its content: a CAREamics checkpoint
          (.ckpt), weights of an architecture that is known here (safetensors or a state dict), a
          BioImage.IO package (.zip, a folder, or its rdf.yaml), TorchScript, a torch.export
          program (.pt2), ONNX. Nothing that a file carries is imported or run as Python.
        * A module; or a function from a float32 tensor NC(Z)YX to a tensor or array of the same
          layout.
        * A model, which comes back as it is, or on the device and in the precision asked for.

        Of a module a copy is taken (on the CPU, float32, in evaluation mode): the module itself,
        its mode and its gradients stay as they are, and what is changed in it afterwards does not
        change the model. A function is called as it is, on the CPU unless a device is named: a
        network that it calls must be in evaluation mode.
        A mapping, ``{0: "a.ckpt", 1: "b.ckpt"}``, gives each channel of an image a model of its
        own; channels that it leaves out are not predicted.
    device : str, torch.device or sequence of these
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        Several share the tiles of a run: ``"cuda:0,cuda:1"``, ``"all"`` (every CUDA GPU), or a
        sequence of names.
    precision : {"auto", "float32", "bfloat16", "float16"}
        ``"auto"`` is float32; on a GPU with fast half precision a plan takes that instead where one
        tile of the image differs by no more than 0.1 % of its range.
    spatial_dims : {2, 3}, optional
        Where it cannot be found out: whether the model takes images or volumes.
    in_channels : int, optional
        Where it cannot be found out: how many channels the model takes at once.
    prepare : bool, optional
        Whether tiles go through a copy of the network that is rewritten for speed; see
        `Model.preparation`. It computes the same to 1e-5 of the range (measured before it is
        taken). Default: of files and built-in models, but not of modules, as a copy made of what
        their code computes leaves out whatever else it does (counters, prints, hooks).

    Returns
    -------
    Model or ChannelModels
        Ready to run.

    Warns
    -----
    UserWarning
        If a package fails the test that it brings for itself. Large tests are not run while
        loading: `Model.run_own_test` runs them.

    Raises
    ------
    ModelError
        In one line: what cannot be loaded, why, and the way out.
    ValueError
        If the device is not on this machine, or the other settings are none of those above.
    """
    if spatial_dims not in (None, 2, 3):
        raise ValueError(f"spatial_dims {spatial_dims} is neither 2 (images) nor 3 (volumes)")
    if in_channels is not None and in_channels < 1:
        raise ValueError(f"in_channels {in_channels} is less than 1: leave it out to have it found")
    if isinstance(source, Mapping):
        models = {
            channel: _load_for_channel(
                channel,
                one,
                device=device,
                precision=precision,
                spatial_dims=spatial_dims,
                in_channels=in_channels,
                prepare=prepare,
            )
            for channel, one in source.items()
        }
        return ChannelModels(on_one_device(models) if device == "auto" else models)
    if isinstance(source, Model | ChannelModels):
        same = device == "auto" and precision == "auto" and prepare is None
        return source if same else source.to(device, precision, prepare)
    loaded = _load(source)
    dims, channels = loaded.spatial_dims, loaded.in_channels
    if dims is None or (channels is None and not loaded.any_channels):
        dims, channels = find_signature(
            loaded.network,
            loaded.name,
            dims or spatial_dims,
            channels or in_channels,
            sizes=loaded.sizes,
            are_strict=loaded.sizes_are_strict,
            batch=loaded.batch,
        )
    if prepare is None:
        prepare = not loaded.is_python
    model = Model(loaded, dims, channels, device=device, precision=precision, prepare=prepare)
    failure = _failure_of_own_test(model)
    if failure is not None:
        warnings.warn(f"{model.name}: {failure}", UserWarning, stacklevel=2)
    return model


def _load_for_channel(channel: int, source: Source, **settings: Any) -> Model:
    """Load the model of one channel; what is wrong with it is told of that channel."""
    try:
        return load_model(source, **settings)
    except ModelError as error:
        raise ModelError(f"channel {channel}: {error}") from error


def _failure_of_own_test(model: Model) -> str | None:
    """What is wrong by the test that a package brings, which is run where that costs little."""
    test = model.loaded.own_test
    if test is not None and model.own_test_result is None and test.pixels <= CHEAP_TEST:
        # one that cannot be run is a failure too
        with contextlib.suppress(ModelError):
            model.run_own_test()
    return model.own_test_failure


def _load(source: object) -> Loaded:
    if isinstance(source, str) and source.startswith(PREFIX):
        return _load_builtin(source)
    if isinstance(source, str) and not source.strip():
        raise ModelError("the name of the model is empty: give a file, or builtin:denoise2d")
    if isinstance(source, str | PathLike):
        # a name may begin with ~ and be no person's
        return _load_file(from_home(source))
    if isinstance(source, nn.Module):
        return _load_module(source)
    if callable(source) and not isinstance(source, type):
        name = getattr(source, "__name__", type(source).__name__)
        kind = getattr(source, "__qualname__", type(source).__qualname__)
        sha256 = hash_callable(source)
        return Loaded(
            source,
            name,
            f"python:{kind}",
            sha256,
            "Python function",
            default_normalization="none",
        )
    given = f"the class {source.__name__}" if isinstance(source, type) else repr(source)[:80]
    raise ModelError.not_loadable(
        given,
        "it is neither a path, nor a module, nor a function",
        "Pass an instance of the network" if isinstance(source, type) else "Pass one of these",
    )


def _load_builtin(source: str) -> Loaded:
    if source.removeprefix(PREFIX) not in BUILTIN_NAMES:
        known = " or ".join(PREFIX + name for name in BUILTIN_NAMES)
        raise ModelError.not_loadable(source, "there is no such built-in model", f"Use {known}")
    network, info = load_builtin(source)
    return Loaded(
        network,
        source,
        source,
        hash_file(info["file"]),
        "built-in model",
        spatial_dims=len(info["axes"]),
        in_channels=info["channels"],
        about=About(
            title=info["title"],
            description=f"Blind to noise level and grey range. {info['noise']}".strip(),
            licence=info["licence"],
            training=info["training"],
        ),
    )


def _load_file(path: Path) -> Loaded:
    name = path.name or str(path)
    try:
        if not path.exists():
            raise ModelError.not_loadable(
                name, f"there is no file {path}", "Check the path, or use builtin:denoise2d"
            )
        kind = file_kind(path)
        if kind is None:
            raise ModelError.not_loadable(name, *describe_refusal(path))
        return LOADERS[kind](path)
    except OSError as error:
        why = error.strerror or message_line(error)
        raise ModelError.not_loadable(name, f"it cannot be read ({why})", "Check it") from error


def _load_module(module: nn.Module) -> Loaded:
    # What torch.compile and DataParallel wrap: the probe needs the network as it was written.
    inner = getattr(module, "_orig_mod", None)
    if isinstance(module, nn.DataParallel):
        inner = module.module
    if isinstance(inner, nn.Module):
        return _load_module(inner)
    name = getattr(module, "original_name", type(module).__name__)
    try:
        network = _frozen_copy(module)
    except Exception as error:
        # any exception: modules may define their own copying
        raise ModelError.not_loadable(
            name,
            f"the module cannot be copied ({message_line(error)})",
            "Pass a function that calls it: load_model(lambda x: net(x))",
        ) from error
    return Loaded(
        network,
        name,
        f"python:{name}",
        hash_module(network),
        "PyTorch module",
        default_normalization="none",
    )


def _frozen_copy(module: nn.Module) -> nn.Module:
    # without gradients: of a script module, what is copied would be computed from the weights
    with warnings.catch_warnings(), torch.no_grad():
        # PyTorch's own code copies exported modules in ways that it deprecates.
        warnings.simplefilter("ignore")
        network = copy.deepcopy(module).cpu().float()
    # The module of an exported program has one mode only, and says so.
    with contextlib.suppress(NotImplementedError):
        network.eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network
