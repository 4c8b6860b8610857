"""The dock's settings as Python and as a command line that do the same."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_tessera.widgets.inside_code import InsideCode
from napari_tessera.widgets.request import RunRequest, SaveTarget
from napari_tessera.writing.files.formats import format_of

Selection = Mapping[str, "slice | int | list[int]"]


@dataclass(frozen=True)
class LayerToCode:
    """What code has to say of one input layer.

    Parameters
    ----------
    name : str
        Name in the layer list.
    path : str or None
        File that holds exactly the layer's pixels in the layer's axes; None where there is none.
    axes : str
        Axes of the layer's data.
    region : mapping or None
        What of it is denoised; None: everything.
    rgb_as_input : bool
        Whether the output has the input's dtype because it is a colour picture.
    inside : InsideCode or None
        Where in the region; None: all of it.
    """

    name: str
    path: str | None
    axes: str
    region: Selection | None
    rgb_as_input: bool = False
    inside: InsideCode | None = None


def file_of(layer: Any, axes: str) -> str | None:
    """Path of the file that a layer shows whole and unchanged in shape and type; else None.

    Opens the file, so that it belongs into a thread.
    """
    from napari_tessera.stacks import LayerStack, open_stack

    path = getattr(layer.source, "path", None)
    if not path or layer.source.sample is not None:
        return None
    try:
        shown: Any = LayerStack(layer, axes)
        stack: Any = open_stack(path, axes)
    except (ValueError, OSError):
        # Read by another plugin, or not there any more: the layer itself is all there is.
        return None
    with stack:
        same = (
            tuple(stack.original_data_shape) == tuple(shown.original_data_shape)
            and stack.original_axes == shown.original_axes
            and stack.data_dtype == shown.data_dtype
        )
    return str(path) if same else None


def as_python(request: RunRequest, layers: Sequence[LayerToCode]) -> str:
    """Python that does what the dock would do, for napari's console or, with files, anywhere.

    Parameters
    ----------
    request : RunRequest
        The settings.
    layers : sequence of LayerToCode
        One for each layer of the request.
    """
    lines = ["import napari_tessera"]
    marks = [layer.inside for layer in layers if layer.inside is not None]
    if any(layer.path is None for layer in layers) or any(each.uses_napari for each in marks):
        lines.insert(0, "import napari")
    if names := sorted({name for each in marks for name in each.names}):
        lines.append(f"from napari_tessera.prediction import {', '.join(names)}")
    if request.save is not None:
        lines.insert(0, "from pathlib import Path\n")
    options = [_python(request.source)]
    if request.device != "auto":
        options.append(f"device={request.device!r}")
    options.append(f"precision={request.precision!r}")
    if request.cluster:
        lines.append("from dask.distributed import Client")
        lines += ["", f"client = Client({request.cluster!r})"]
    lines += ["", f"model = napari_tessera.load_model({', '.join(options)})"]
    for number, (layer, output) in enumerate(zip(layers, _outputs(request, layers), strict=True)):
        source = (
            repr(layer.path)
            if layer.path is not None
            else f"napari.current_viewer().layers[{layer.name!r}]"
        )
        lines += ["", f"stack = napari_tessera.open_stack({source}, {layer.axes!r})"]
        result = "denoised" if len(layers) == 1 else f"denoised_{number + 1}"
        arguments = ["stack", "model"]
        call = f"{result} = napari_tessera.predict("
        if request.save is not None:
            arguments.append(f"Path({str(output)!r})")
            if request.save.if_exists == "continue":
                arguments.append("resume=True")
            elif request.save.if_exists == "overwrite":
                arguments.append("overwrite=True")
            call = f"{result} = napari_tessera.predict_to_disk("
            arguments += [f"{k}={_python(v)}" for k, v in _saving(request.save, layer).items()]
        for name, value in _settings(request, layer).items():
            arguments.append(f"{name}={_python(value)}")
        if layer.inside is not None:
            arguments.append(f"inside={layer.inside.python}")
        if request.cluster:
            arguments.append("client=client")
        lines += [call, *(f"    {argument}," for argument in arguments), ")"]
    return "\n".join(lines) + "\n"


def as_command(request: RunRequest, layers: Sequence[LayerToCode]) -> str:
    """Command lines that do what the dock would do, one for each layer.

    Raises
    ------
    ValueError
        If a layer is no file that the command could open, or labels are none.
    """
    commands = []
    for layer, output in zip(layers, _outputs(request, layers), strict=True):
        if layer.path is None:
            raise ValueError(
                f"{layer.name} is no file as it is shown here: save the layer and open that file, "
                "or copy as Python"
            )
        if output is None:
            stem = Path(layer.path.rstrip("/")).name.split(".")[0]
            output = Path(f"{stem}_denoised.ome.zarr")
        words = ["napari-tessera", "predict", layer.path, str(output)]
        for channel, model in request.channel_models:
            words += ["--model", f"{channel}={model}"]
        if not request.channel_models:
            words += ["--model", str(request.model)]
        words += ["--axes", layer.axes]
        for name, value in _settings(request, layer).items():
            words += [f"--{name.replace('_', '-')}", _typed(value)]
        if layer.inside is not None:
            words += ["--inside", layer.inside.command()]
        if request.device != "auto":
            words += ["--device", request.device]
        words += ["--precision", request.precision]
        if request.save is not None:
            for name, value in _saving(request.save, layer).items():
                flag = f"--{name.replace('_', '-')}"
                words += [flag] if value is True else [flag, _typed(value)]
        if request.cluster:
            words += ["--cluster", request.cluster]
        if request.save is not None and request.save.if_exists == "continue":
            words.append("--resume")
        elif request.save is not None and request.save.if_exists == "overwrite":
            words.append("--overwrite")
        # Windows' shells know double quotes alone.
        on_windows = sys.platform.startswith("win")
        commands.append(subprocess.list2cmdline(words) if on_windows else shlex.join(words))
    return "\n".join(commands)


def _outputs(request: RunRequest, layers: Sequence[LayerToCode]) -> Sequence[Path | None]:
    """Where each layer is saved; None where nothing is."""
    if request.save is None:
        return [None] * len(layers)
    return request.save.for_layers([layer.name for layer in layers])


def _saving(save: SaveTarget, layer: LayerToCode) -> dict[str, Any]:
    """How it is saved, where that is not left at its default; the path's ending says the format."""
    chosen = save.file_format
    options: dict[str, Any] = {}
    if format_of(save.path) != chosen:
        options["format"] = chosen.name
    if save.compression != chosen.default_compression:
        options["compression"] = save.compression
    # As the dock does: channels that are left out are copied.
    if "C" in layer.axes:
        options["copy_channels"] = True
    return options


def _settings(request: RunRequest, layer: LayerToCode) -> dict[str, Any]:
    """Planning settings that are not left at their default."""
    settings = request.plan_settings
    if layer.region is not None:
        settings["region"] = dict(layer.region)
    if layer.rgb_as_input or (request.save is not None and request.save.same_dtype):
        settings["output_dtype"] = "input"
    return settings


def _python(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{letter!r}: {_python(part)}" for letter, part in value.items())
        return f"{{{inside}}}"
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop})"
    return repr(str(value) if isinstance(value, Path) else value)


def _typed(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{letter}={_indices(part)}" for letter, part in value.items())
    if isinstance(value, tuple):
        return ",".join(str(number) for number in value)
    return str(value)


def _indices(part: slice | int | list[int]) -> str:
    if isinstance(part, slice):
        return f"{part.start}:{part.stop}"
    return ",".join(map(str, part)) if isinstance(part, list) else str(part)
