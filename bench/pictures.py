"""Pictures of records: ``python -m bench pictures FILES``.

Records of "optimum" and "cross-validation" become curves of the gap against time, those of "sizes"
curves of time and memory, those of "cluster" curves of calculated time against workers, others bars
of times as multiples of the first side's. Needs matplotlib.
"""

import sys
from pathlib import Path

from .metrics import METRICS
from .record import read

BARS = "seconds_per_epoch", "seconds_per_row", "seconds", "seconds_per_call"


def add_arguments(parser):
    """Options of the command line."""
    parser.add_argument("files", nargs="+", type=Path, help="records that --json has written")
    parser.add_argument("--folder", type=Path, help="for the pictures; that of the files")


def _by_case(results):
    found = {}
    for each in results:
        found.setdefault(each["case"], []).append(each)
    return found


def draw_courses(pyplot, results):
    """Gap against time: a panel for each case, a line for each side."""
    by_case = _by_case(each for each in results if each["metric"] == "seconds_to_gap")
    n_rows = -(-len(by_case) // 2)
    figure, axes = pyplot.subplots(
        n_rows, 2, figsize=(12, 3.6 * n_rows), squeeze=False, layout="constrained"
    )
    for axis, (case, sides) in zip(axes.ravel(), by_case.items(), strict=False):
        for place, each in enumerate(sides):
            gaps = [max(gap, 1e-14) for gap in each["notes"]["gaps"]]
            width = 1.0 if place else 2.5
            axis.loglog(each["notes"]["seconds"], gaps, "o-", label=each["side"], linewidth=width)
        axis.axhline(1e-6, color="grey", linestyle=":")
        axis.set(title=case, xlabel="seconds", ylabel="objective above optimum, relative")
    for axis in axes.ravel()[len(by_case) :]:
        axis.set_visible(False)
    axes[0, 0].legend(fontsize=7)
    return figure


def draw_sizes(pyplot, results):
    """Time and memory: a column for each quantity that varies."""
    quantities = list(dict.fromkeys(each["notes"]["quantity"] for each in results))
    metrics = list(dict.fromkeys(each["metric"] for each in results))
    figure, axes = pyplot.subplots(
        len(metrics), len(quantities), squeeze=False, layout="constrained",
        figsize=(3.6 * len(quantities), 3 * len(metrics)),
    )  # fmt: skip
    for row, metric in enumerate(metrics):
        found = METRICS[metric]
        for column, quantity in enumerate(quantities):
            chosen = [
                each
                for each in results
                if each["metric"] == metric and each["notes"]["quantity"] == quantity
            ]
            plot = axes[row, column].loglog if row == 0 else axes[row, column].semilogx
            plot(
                [each["notes"]["at"] for each in chosen],
                [each["value"] * found.scale for each in chosen],
                marker="o",
            )
            axes[row, column].set_xlabel(quantity)
        axes[row, 0].set_ylabel(f"{found.title}, {found.unit}")
    return figure


def draw_workers(pyplot, results):
    """Calculated time of a pass against workers, and what takes most of it."""
    chosen = [each for each in results if "n_workers" in each["notes"]]
    if not chosen:
        return None
    figure, axis = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for case, sides in _by_case(chosen).items():
        workers = [each["notes"]["n_workers"] for each in sides]
        seconds = [each["value"] for each in sides]
        axis.loglog(workers, seconds, "o-", label=case)
        axis.loglog(
            workers, [seconds[0] / each for each in workers], ":", color="grey", linewidth=0.8
        )
        for each in sides:
            place = each["notes"]["n_workers"], each["value"]
            axis.annotate(each["notes"]["binds"], place, (0, 6), textcoords="offset points")
    axis.set(xlabel="workers of one thread", ylabel="seconds of a pass, calculated")
    axis.legend(fontsize=8)
    return figure


def draw_bars(pyplot, results):
    """Times as multiples of the first side's: a group of bars for each case."""
    metric = next((name for name in BARS if any(each["metric"] == name for each in results)), None)
    if metric is None:
        return None
    chosen = [each for each in results if each["metric"] == metric]
    by_case = _by_case(chosen)
    sides = list(dict.fromkeys(each["side"] for each in chosen))
    height = 0.8 / len(sides)
    figure, axes = pyplot.subplots(figsize=(10, 1 + len(by_case)), layout="constrained")
    for place, side in enumerate(sides):
        ratios = [
            next((each["value"] for each in found if each["side"] == side), 0) / found[0]["value"]
            for found in by_case.values()
        ]
        positions = [row + place * height for row in range(len(by_case))]
        axes.barh(positions, ratios, height, label=side)
    axes.set_yticks([row + 0.4 for row in range(len(by_case))], list(by_case))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(f"{METRICS[metric].title}, as a multiple of {sides[0]}'s")
    axes.legend()
    return figure


DRAWERS = {
    "optimum": draw_courses,
    "cross-validation": draw_courses,
    "sizes": draw_sizes,
    "cluster": draw_workers,
}


def run(options):
    """Draw a picture beside each record, or in a folder."""
    try:
        import matplotlib as mpl
    except ImportError:
        sys.exit("matplotlib is not installed")
    mpl.use("Agg")
    from matplotlib import pyplot

    for path in options.files:
        content = read(path)
        draw = DRAWERS.get(content["benchmark"], draw_bars)
        figure = draw(pyplot, content["results"])
        if figure is None:
            print(f"{path}: nothing to draw")
            continue
        target = (options.folder or path.parent) / f"{path.stem}.png"
        figure.savefig(target, dpi=120)
        print(target)
