"""Several images in one command: whether that is meant, and which they are."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from napari_tessera.cli.options import check_region
from napari_tessera.home_paths import from_home

if TYPE_CHECKING:
    from napari_tessera.prediction.several import Found

_SEPARATORS = ("/", os.sep)


def means_several(sources: Sequence[str], output: str) -> bool:
    """Whether results go into a folder, each under a name of its own.

    So it is where there are several inputs, and where the output is a folder: it ends with a slash,
    or is there already. One that is named as an image, ``a.ome.zarr/``, is that image.

    Raises
    ------
    ValueError
        If there are several inputs, and one image or a URL to write them to.
    """
    from napari_tessera.stacks.opening.location import local_path
    from napari_tessera.writing.places.endings import ending_of

    path = local_path(output)
    named = bool(ending_of(output))
    if path is None:
        if len(sources) == 1 and named:
            return False
        if len(sources) == 1 and not output.endswith("/"):
            return False
        raise ValueError(
            f"{output} is a URL: results of several images go into a folder on a disk, like OUT/; "
            "or give one INPUT, and a .ome.zarr there"
        )
    if len(sources) > 1:
        if named or path.is_file():
            raise ValueError(
                f"{len(sources)} INPUTs and one image {output}: give a folder, like OUT/"
            )
        return True
    return not named and (output.endswith(_SEPARATORS) or path.is_dir())


def check_one_image(source: str) -> None:
    """Refuse a pattern that stands for Zarr images, which are no planes of one image as TIFFs are.

    Raises
    ------
    ValueError
        If it does, saying how to predict them all.
    """
    from napari_tessera.stacks.opening.location import local_path
    from napari_tessera.stacks.zarr.nodes import is_zarr_folder

    path = local_path(source)
    if path is None or not glob.has_magic(source) or path.exists():
        return
    matches = [Path(name) for name in glob.glob(str(path), recursive=True)]
    if any(is_zarr_folder(match) for match in matches):
        n = len(matches)
        raise ValueError(
            f"{source} stands for {n} {'image' if n == 1 else 'images'}: give a folder for the "
            "results as OUTPUT, like OUT/"
        )


def find_inputs(
    sources: Sequence[str],
    *,
    axes: str | None,
    region: Mapping[str, slice | int | list[int]] | None,
    folder: Path,
) -> list[Found]:
    """The images that inputs stand for, in natural order within each.

    Parameters
    ----------
    sources : sequence of str
        Files, folders, plates, patterns of these (``**`` goes through all folders), URLs of Zarr
        images and patterns of these. What is there by a pattern's own name is meant by it.
    axes, region
        Asked for of all images: where a range of the region ends outside one, that image fails.
    folder : pathlib.Path
        Where results go: it is not looked into.

    Raises
    ------
    FileNotFoundError
        If something that was named is not there, or a pattern stands for nothing.
    ValueError
        If nothing of all is an image.
    """
    from napari_tessera.stacks.opening.location import local_path

    found: dict[str, Found] = {}
    shared = _shared_folder(sources)
    for source in sources:
        path = local_path(source)
        images = _remote(source, axes) if path is None else _local(path, axes, folder, shared)
        for image in images:
            found.setdefault(image.source, _with_region(image, region))
    images_there = [image for image in found.values() if not image.problem or image.damaged]
    if not images_there:
        left_out = next((f" ({i.source}: {i.problem})" for i in found.values()), "")
        raise ValueError(f"no image in {', '.join(sources)}{left_out}")
    return list(found.values())


def _shared_folder(sources: Sequence[str]) -> Path | None:
    """The folder that all named files and folders lie in, where two of them have one name.

    A shell makes of ``day*/a.tif`` several names: results then keep the folders that tell them
    apart, as they do where the pattern comes in quotes.
    """
    from napari_tessera.stacks.opening.location import local_path

    local = (path for path in map(local_path, sources) if path is not None)
    paths = {from_home(path).absolute() for path in local}
    if len({path.name for path in paths}) == len(paths):
        return None
    return Path(os.path.commonpath([path.parent for path in paths]))


def _local(path: Path, axes: str | None, folder: Path, shared: Path | None) -> Iterator[Found]:
    """What a path or pattern stands for; images of a pattern keep the folders that it goes through.

    So ``day*/a.tif`` gives ``day1/a_denoised…`` and ``day2/a_denoised…``.
    """
    from napari_tessera.prediction.several import find_images
    from napari_tessera.prediction.several.finding import OURS

    path = from_home(path).absolute()
    if path.exists() or not glob.has_magic(str(path)):
        before = Path() if shared is None else path.parent.relative_to(shared)
        for image in find_images(path, axes=axes, leave_out=folder):
            yield replace(image, relative=PurePosixPath(before.as_posix()) / image.relative)
        return
    matches = _matches(path, folder)
    if not matches:
        raise FileNotFoundError(f"{path} stands for no file or folder")
    root = _fixed_part(path)
    ours = _results_of(matches)
    for match in matches:
        if str(match) in ours:
            relative = PurePosixPath(match.relative_to(root).as_posix())
            yield _found(str(match), relative, OURS)
            continue
        # a file or an image is named by itself, what lies in a folder from there on
        within = match.relative_to(root)
        above = within if _is_plain_folder(match) else within.parent
        for image in find_images(match, axes=axes, leave_out=folder):
            yield replace(image, relative=PurePosixPath(above.as_posix()) / image.relative)


def _matches(path: Path, folder: Path) -> list[Path]:
    """What a pattern stands for, but for what lies in a folder that it stands for as well."""
    from tifffile import natural_sorted

    found = [Path(name) for name in natural_sorted(glob.glob(str(path), recursive=True))]
    there = set(found) | {folder}
    return [
        match
        for match in dict.fromkeys(found)
        if match != folder and there.isdisjoint(match.parents)
    ]


def _fixed_part(path: Path) -> Path:
    """The folders of a pattern before the first that is one."""
    return next(parent for parent in path.parents if not glob.has_magic(str(parent)))


def _is_plain_folder(path: Path) -> bool:
    from napari_tessera.stacks.zarr.nodes import is_zarr_folder

    return path.is_dir() and not is_zarr_folder(path)


def _results_of(matches: Sequence[Path]) -> set[str]:
    """What reports of earlier runs in the folders of files name: no images to denoise again."""
    from napari_tessera.prediction.several import read_report

    reports = (read_report(folder) for folder in {match.parent for match in matches})
    return {output for report in reports if report is not None for output in report.outputs}


def _found(source: str, relative: PurePosixPath, problem: str = "") -> Found:
    from napari_tessera.prediction.several import Found

    return Found(source, relative, problem=problem)


def _remote(source: str, axes: str | None) -> Iterator[Found]:
    """Zarr images at a URL, or at those that a pattern of fsspec stands for."""
    from napari_tessera.prediction.several.finding import error_line
    from napari_tessera.stacks import open_stack
    from napari_tessera.stacks.closing import close_stack

    for url in _remote_matches(source):
        image = _found(url, PurePosixPath(url.partition("?")[0].rstrip("/").rpartition("/")[2]))
        try:
            stack = open_stack(url, axes)
        except Exception as error:
            yield replace(image, problem=error_line(error), damaged=True)
            continue
        shape, dtype = tuple(stack.original_data_shape), str(stack.data_dtype)
        close_stack(stack)
        yield replace(image, axes=stack.original_axes, shape=shape, dtype=dtype)


def _remote_matches(source: str) -> list[str]:
    from napari_tessera.stacks.checks import error_line

    # a question mark begins what is asked of a web server
    if not any(mark in source for mark in "*["):
        return [source]
    try:
        import fsspec
        from tifffile import natural_sorted

        system, place = fsspec.core.url_to_fs(source)
        found = [str(system.unstrip_protocol(name)) for name in system.glob(place)]
    except Exception as error:
        raise ValueError(
            f"{source}: what it stands for cannot be listed ({error_line(error)}): name the images "
            "one by one"
        ) from error
    if not found:
        raise FileNotFoundError(f"{source} stands for nothing")
    return list(natural_sorted(found))


def _with_region(image: Found, region: Mapping[str, slice | int | list[int]] | None) -> Found:
    """The image, as one that fails where a range ends outside it: cut off silently is a typo."""
    sizes = dict(zip(image.axes, image.shape, strict=True))
    # channels may be those that the model makes
    sizes.pop("C", None)
    try:
        check_region(region, sizes)
    except ValueError as error:
        return replace(image, problem=str(error), damaged=True)
    return image
