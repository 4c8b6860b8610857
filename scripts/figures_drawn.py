"""Draws the figures of the explanation pages from what their modules compute."""

from __future__ import annotations

from typing import Any

import numpy as np

import figures_misleading as misleading
import figures_noise as noise
import figures_tiling as tiling
from figures_style import (
    BLACK,
    BLUE,
    DIFFERENCE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    bar,
    figure,
    picture,
)
from napari_tessera.prediction.autocorrelation import autocorrelation


def seams() -> Any:
    found = tiling.seams()
    drawn, axes = figure(2, 3, 7.4, 5.1)
    cut = slice(240, 410)
    low, high = np.percentile(found["whole"], (0.5, 99.8))
    views = (("input", "image"), ("denoised in one piece", "whole"))
    for place, (title, name) in zip(axes[0], views, strict=False):
        grey = picture(place, found[name][cut, cut], title, vmin=low, vmax=high)
    bar(drawn, grey, axes[0, 1], "grey levels")
    places = {
        "none": (axes[0, 2], "no overlap"),
        "short": (axes[1, 0], "24 px of overlap"),
        "off_period": (axes[1, 1], "82 px, starts off the period"),
        "exact": (axes[1, 2], "80 px, starts on the period"),
    }
    for name, (place, title) in places.items():
        largest = f"{float(np.abs(found[name]).max()):.2g}"
        title = f"{title}\noff by {largest} at most"
        shown = picture(place, found[name][cut, cut], title, cmap=DIFFERENCE, vmin=-1, vmax=1)
    for place in (axes[0, 2], axes[1, 2]):
        bar(drawn, shown, place, "off by, grey levels")
    return drawn


def overlap() -> Any:
    found = tiling.overlap_curve()
    drawn, ((axes,),) = figure(1, 1, 6.6, 3.4)
    floor = 1e-4
    seen = [max(value, floor) for value in found["largest"]]
    axes.semilogy(found["overlaps"], seen, "o-", color=BLUE, label="starts on multiples of 4 px")
    axes.semilogy(
        found["off_overlaps"],
        found["off_largest"],
        "s",
        color=VERMILION,
        label="starts on odd multiples of 2 px",
    )
    needed = 2 * tiling.model().info.reach[0]
    axes.axvline(needed, color=BLACK, lw=1, ls=":")
    axes.text(needed - 1, 2, "twice the reach, 78 px", ha="right", va="center")
    axes.set_xlabel("overlap of neighbouring tiles in all, px")
    axes.set_ylabel("largest difference from\none piece, grey levels")
    axes.set_yticks([1e-4, 1e-3, 1e-2, 1e-1, 1, 10], ["none", "0.001", "0.01", "0.1", "1", "10"])
    axes.set_ylim(floor / 2, 20)
    axes.legend(loc="lower left")
    return drawn


def influence() -> Any:
    from matplotlib.colors import LogNorm

    found = tiling.influence()
    drawn, ((left, middle, right),) = figure(1, 3, 9.4, 3.2, width_ratios=(1.1, 1, 1))
    far, reach = found["felt"].shape[0] // 2, tiling.model().info.reach[0]
    shown = left.imshow(
        np.maximum(found["felt"], 1e-7),
        norm=LogNorm(1e-6, 0.1),
        cmap="viridis",
        extent=(-far - 0.5, far + 0.5) * 2,
    )
    left.plot(*np.array([(-1, 1, 1, -1, -1), (-1, -1, 1, 1, -1)]) * reach, color=BLACK, lw=1)
    left.plot(*np.array([(-1, 1, 1, -1, -1), (-1, -1, 1, 1, -1)]) * reach, "w--", lw=1)
    left.set_title("how much one pixel is felt")
    left.set_xlabel("px")
    left.set_ylabel("px")
    bar(drawn, shown, left, "change of output / of input")
    for phase, (start, stop) in enumerate(found["spans"]):
        colour = (BLUE, ORANGE, GREEN, PURPLE)[phase % 4]
        middle.barh(phase, stop - start + 1, left=start - 0.5, height=0.8, color=colour)
    middle.axvline(0, color=BLACK, lw=0.8)
    middle.set_xlim(-46, 46)
    middle.set_yticks(range(0, 12, 4))
    middle.set_title("output pixels that a NaN reaches")
    middle.set_xlabel("px from the NaN")
    middle.set_ylabel("place of the NaN, px")
    right.bar(range(len(found["moved"])), found["moved"], color=BLUE)
    right.set_title("image moved, result moved back")
    right.set_xlabel("moved by, px")
    right.set_ylabel("largest difference, grey levels")
    for at, value in enumerate(found["moved"]):
        if value == 0:
            right.text(at, 0.05, "0", ha="center", va="bottom")
    return drawn


def partition() -> Any:
    found = tiling.partition()
    drawn, ((top,), (bottom,)) = figure(2, 1, 7.4, 4.2, sharex=True, height_ratios=(1, 1))
    colours = (BLUE, ORANGE, GREEN, PURPLE)
    for row, (start, _, kept, stitch) in enumerate(found["tiles"]):
        patch = found["axis"].patch
        top.barh(row, patch, left=start, height=0.35, color=colours[row], alpha=0.35)
        top.barh(row, kept, left=stitch, height=0.6, color=colours[row])
        top.text(stitch + kept / 2, row, f"{stitch}…{stitch + kept - 1}", ha="center", va="center")
    top.axvline(found["size"], color=BLACK, lw=1, ls=":")
    top.set_yticks(range(len(found["tiles"])), [f"tile {i}" for i in range(len(found["tiles"]))])
    top.invert_yaxis()
    top.set_title("what is read (pale) and what is kept (full) of tiles of 128 px, overlap 48 px")
    for kind, style in (("linear", "-"), ("gaussian", "--")):
        for tile, weights in enumerate(found["weights"][kind]):
            bottom.plot(
                np.arange(found["size"]) + 0.5,
                weights,
                style,
                color=colours[tile],
                label=kind if not tile else None,
            )
    bottom.set_xlabel("px along the axis")
    bottom.set_ylabel("weight in blending")
    bottom.legend(loc="center left")
    return drawn


def statistics() -> Any:
    apart = tiling.statistics()["threshold"]["apart"]
    blended = tiling.blending()
    drawn, ((left, middle, right),) = figure(1, 3, 8.2, 2.9)
    title = "a range for each tile\ninstead of one for the image"
    shown = picture(left, apart, title, cmap=DIFFERENCE, vmin=-2, vmax=2)
    bar(drawn, shown, left, "off by, grey levels")
    for place, name, title in (
        (middle, "crop", "global network, tiles cut"),
        (right, "linear", "global network, tiles faded"),
    ):
        off = blended[name] - blended["whole"]
        shown = picture(place, off, title, cmap=DIFFERENCE, vmin=-0.8, vmax=0.8)
    bar(drawn, shown, right, "off by, deviations")
    return drawn


def transfer() -> Any:
    found = noise.photon_transfer()
    drawn, ((axes,),) = figure(1, 1, 5.8, 3.6)
    for name, colour, words in (
        ("multiplied", VERMILION, "pulses of unequal height"),
        ("camera", BLUE, "camera"),
    ):
        mean, variance = found[name]
        axes.plot(mean, variance, ".", ms=3, color=colour, alpha=0.6)
        slope = found[f"{name}_slope"]
        axes.plot(
            mean,
            np.polyval(np.polyfit(mean, variance, 1), mean),
            color=colour,
            label=f"{words}: slope {slope:.2f}",
        )
    axes.axvline(found["offset"], color=BLACK, lw=1, ls=":")
    axes.text(found["offset"] + 3, 1150, "no light", ha="left")
    axes.set_xlabel("mean over the series, grey levels")
    axes.set_ylabel("variance, grey levels²")
    axes.legend(loc="upper left", bbox_to_anchor=(0.1, 0.9))
    return drawn


def correlation() -> Any:
    found = noise.kinds()
    drawn, axes = figure(2, 6, 9.6, 3.5)
    for column, (name, pixels) in enumerate(found.items()):
        spread = float(pixels.std())
        piece = pixels[60:124, 60:124] / spread
        picture(axes[0, column], piece, noise.NAMES[name], vmin=-3, vmax=3)
        near = autocorrelation([pixels.astype(np.float32)], 6)
        shown = picture(axes[1, column], near, "", cmap=DIFFERENCE, vmin=-1, vmax=1)
        axes[1, column].set_title(
            f"predictable: {100 * max(0, noise.predictable(pixels)):.0f} %", fontsize=8.5
        )
    axes[0, 0].set_ylabel("noise, 64 × 64 px")
    axes[1, 0].set_ylabel("up to 6 px away")
    bar(drawn, shown, axes[1, :], "correlation")
    return drawn


def anscombe() -> Any:
    found = noise.anscombe()
    drawn, ((left, right),) = figure(1, 2, 7.8, 3.1)
    left.loglog(found["means"], found["plain"], color=BLUE, label="counts")
    left.semilogx(found["means"], found["deviation"], color=VERMILION, label="transformed")
    left.axhline(1, color=BLACK, lw=0.8, ls=":")
    left.set_xlabel("photons on average")
    left.set_ylabel("standard deviation")
    left.set_title("Anscombe's transform of Poisson counts")
    left.set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    left.legend()
    for name, colour, words in (
        ("algebraic", ORANGE, "algebraic inverse"),
        ("unbiased", BLUE, "unbiased, closed form"),
    ):
        right.semilogx(found["means"], found[name] - found["means"], color=colour, label=words)
    right.axhline(0, color=BLACK, lw=0.8, ls=":")
    right.set_xlabel("photons on average")
    right.set_ylabel("off by, photons")
    right.set_title("the mean, taken back")
    right.legend()
    for axes in (left, right):
        axes.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    return drawn


def faint() -> Any:
    found = misleading.faint()
    drawn, axes = figure(1, 4, 9.8, 3.9, width_ratios=(1, 1, 1, 1.5))
    size = misleading.PITCH * 4
    views = (
        ("as it is", found["clean"]),
        ("recorded", misleading.photons(found["noisy"])),
        ("denoised", misleading.photons(found["made"])),
    )
    for place, (title, pixels) in zip(axes[0], views, strict=False):
        shown = picture(place, pixels[:, :size], title, vmin=0, vmax=20)
    axes[0, 0].set_yticks(
        [misleading.PITCH * (row + 0.5) for row in range(len(misleading.SPOTS))],
        [str(n) for n in misleading.SPOTS],
    )
    axes[0, 0].set_ylabel("photons of each spot of the row")
    bar(drawn, shown, list(axes[0, :3]), "photons in a pixel")
    last = axes[0, 3]
    for name, colour, shift, key in (
        ("recorded", SKY, 0.97, "noisy"),
        ("denoised", VERMILION, 1.03, "made"),
    ):
        all_light = misleading.light(misleading.photons(found[key]))
        share = 100 * all_light / np.asarray(misleading.SPOTS)[:, None]
        error = share.std(axis=1, ddof=1) / np.sqrt(misleading.PER_ROW)
        last.errorbar(
            np.asarray(misleading.SPOTS) * shift,
            share.mean(axis=1),
            error,
            fmt="o-",
            color=colour,
            label=name,
            capsize=3,
        )
    last.axhline(100, color=BLACK, lw=0.8, ls=":")
    last.set_xscale("log")
    last.minorticks_off()
    last.set_xticks(misleading.SPOTS, [str(n) for n in misleading.SPOTS])
    last.set_ylim(-20, 260)
    last.set_xlabel("photons of a spot")
    last.set_ylabel("light found, % (mean, its error)")
    last.legend()
    return drawn


def invented() -> Any:
    found = misleading.invented()
    drawn, axes = figure(3, 4, 7.8, 5.9)
    titles = {"clean": "as it is", "noisy": "recorded", "made": "by a model of lines"}
    names = {"lines": "lines", "dots": "dots", "nothing": "nothing"}
    for row, (scene, label) in enumerate(names.items()):
        for column, key in enumerate((*titles, "builtin")):
            title = titles.get(key, "by builtin:denoise2d") if not row else ""
            pixels = found[scene][key][40:168, 40:168]
            shown = picture(axes[row, column], pixels, title, vmin=2, vmax=14)
        axes[row, 0].set_ylabel(label)
    bar(drawn, shown, axes, "photons in a pixel")
    return drawn


DRAWN = {
    "seams.png": seams,
    "overlap.png": overlap,
    "influence.png": influence,
    "partition.png": partition,
    "statistics.png": statistics,
    "transfer.png": transfer,
    "correlation.png": correlation,
    "anscombe.png": anscombe,
    "faint.png": faint,
    "invented.png": invented,
}
