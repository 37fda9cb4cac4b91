"""Pictures that are drawn when the documentation is built; figures come from `bench/records`."""

import json
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_RECORDS = _ROOT / "bench" / "records"
BLUE, ORANGE, GREEN, PALE, GREY = "#0072B2", "#D55E00", "#009E73", "#DCE6EE", "#8A8A8A"


def _read(name):
    return json.loads((_RECORDS / f"{name}.json").read_text("utf-8"))


def _blank(pyplot, width, height, limits):
    """Axes without lines, on which a unit is as long across as down."""
    figure, axes = pyplot.subplots(figsize=(width, height))
    axes.set(xlim=(0, limits[0]), ylim=(limits[1], 0), aspect="equal")
    axes.set_axis_off()
    figure.subplots_adjust(0, 0, 1, 1)
    return figure, axes


def _box(axes, left, top, width, height, fill, text=""):
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), width, height, facecolor=fill, edgecolor="white"))
    if text:
        axes.text(
            left + width / 2, top + height / 2, text, ha="center", va="center",
            color="white", fontsize=10,
        )  # fmt: skip


def _arrow(axes, start, end):
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": "black", "lw": 1.2}
    )


def draw_tiles(pyplot):
    """A pass over the rows: tiles go forward and back while they are in the cache."""
    figure, axes = _blank(pyplot, 6.6, 3.2175, (16, 7.8))
    axes.text(1.75, 0.5, "rows, in memory", ha="center", fontsize=11)
    for tile in range(6):
        _box(axes, 0.5, 1 + tile, 2.5, 0.94, BLUE if tile == 2 else PALE)
    axes.text(1.75, 3.5, "a tile", ha="center", va="center", color="white", fontsize=10)
    axes.text(10, 0.5, "in the first-level cache", ha="center", fontsize=11)
    _box(axes, 4.6, 1, 10.9, 6, "#F4F4F4")
    _box(axes, 5, 2.6, 2.2, 1.8, BLUE, "tile")
    _box(axes, 8.6, 2.6, 2.2, 1.8, GREEN, "logits")
    _box(axes, 12.7, 2.6, 2.4, 1.8, ORANGE, "slopes")
    _box(axes, 8.6, 5.5, 2.2, 1.1, BLUE, "tile")
    _box(axes, 12.7, 5.5, 2.4, 1.1, "#444444", "gradient")
    _arrow(axes, (3.05, 3.5), (4.95, 3.5))
    _arrow(axes, (7.25, 3.5), (8.55, 3.5))
    _arrow(axes, (10.85, 3.5), (12.65, 3.5))
    _arrow(axes, (13.9, 4.45), (13.9, 5.45))
    _arrow(axes, (10.85, 6.05), (12.65, 6.05))
    axes.text(7.9, 2.3, "products", ha="center", fontsize=9)
    axes.text(11.75, 2.3, "softmax, loss", ha="center", fontsize=9)
    axes.text(11.75, 5.3, "products", ha="center", fontsize=9)
    axes.text(6.3, 6.15, "the same tile,\nread again", ha="center", va="center", fontsize=9)
    return figure


def draw_lanes(pyplot):
    """What stands side by side in a vector: features, classes or rows."""
    figure, axes = _blank(pyplot, 6.6, 2.64, (16, 6.4))
    kinds = [
        ("features in the lanes", [(2, column) for column in range(1, 5)], "row", "feature"),
        ("classes in the lanes", [(2, column) for column in range(4)], "row", "class"),
        ("rows in the lanes", [(row, 2) for row in range(4)], "row", "feature"),
    ]
    for place, (title, lanes, down, across) in enumerate(kinds):
        left = 0.8 + place * 5.2
        axes.text(left + 2, 0.5, title, ha="center", fontsize=11, weight="bold")
        for row in range(5):
            for column in range(5):
                is_lane = (row, column) in lanes
                color = (BLUE, GREEN, ORANGE)[place] if is_lane else PALE
                _box(axes, left + 0.8 * column, 1.4 + 0.8 * row, 0.76, 0.76, color)
        axes.text(left + 2, 1.15, f"{across} \N{RIGHTWARDS ARROW}", ha="center", fontsize=9)
        axes.text(left - 0.15, 3.4, down, ha="right", va="center", fontsize=9, rotation=90)
    axes.text(8, 6.0, "coloured: four numbers of one 256-bit vector of float64", ha="center")
    return figure


def draw_roofline(pyplot):
    """Speed against arithmetic intensity, of one thread; below what memory and products allow."""
    content = _read("roofline")
    values = {(r["case"], r["side"], r["metric"]): r["value"] for r in content["results"]}
    figure, axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
    for dtype, color in [("float64", BLUE), ("float32", ORANGE)]:
        ceilings = {"bytes_per_second": [], "flops_per_second": []}
        for name, case in content["cases"].items():
            key = (name, "1 thread", "seconds_per_row")
            if case["dtype"] != dtype or key not in values:
                continue
            for metric, found in ceilings.items():
                found.append(values[name, "ceiling of 1 thread", metric])
            shape = case["n_features"], case["n_classes"]
            n_columns = shape[1] if shape[1] > 2 else 1
            intensity = 4 * n_columns / (8 if dtype == "float64" else 4)
            speed = 4 * shape[0] * n_columns / values[key]
            axes.plot(intensity, speed / 1e9, "o", color=color, markersize=8)
            axes.annotate(
                f"{shape[0]} x {shape[1]}", (intensity, speed / 1e9), (9, -4),
                textcoords="offset points", fontsize=9,
            )  # fmt: skip
        # The ceilings are measured beside each case; they vary with what else the machine does.
        bandwidth, products = (max(found) for found in ceilings.values())
        reach = [0.3, products / bandwidth, 20]
        axes.plot(reach, [min(products, x * bandwidth) / 1e9 for x in reach], color=color)
        axes.text(reach[1], products / 0.96e9, dtype, color=color)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(ticks := [0.5, 1, 2, 5, 10, 20], ticks)
    axes.set_yticks(ticks := [5, 10, 20, 50, 100], ticks)
    axes.minorticks_off()
    axes.set(
        xlabel="floating-point operations for each byte of the rows", ylabel="GFLOP/s, one thread"
    )
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_optimum(pyplot):
    """Times to within 1e-6 of the optimum: a line for each data set, a mark for each solver."""
    content = _read("optimum")
    times = {}
    for each in content["results"]:
        if each["metric"] == "seconds_to_gap" and each["value"] is not None:
            times.setdefault(each["case"], {})[each["side"]] = each["value"] * 1e3
    figure, axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
    for place, (_, found) in enumerate(times.items()):
        others = [each for side, each in found.items() if not side.startswith("softreg_fast")]
        axes.hlines(place, min(found.values()), max(found.values()), color="#CCCCCC", zorder=1)
        labels = ("softreg_fast", "solvers of other packages") if place == 0 else (None, None)
        axes.plot(others, [place] * len(others), "o", color=GREY, label=labels[1], zorder=2)
        axes.plot(found["softreg_fast"], place, "D", color=BLUE, label=labels[0], zorder=3)
    axes.set_yticks(range(len(times)), list(times))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds to within 1e-6 of the optimum")
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure


PICTURES = {
    "tiles": draw_tiles,
    "lanes": draw_lanes,
    "roofline": draw_roofline,
    "optimum": draw_optimum,
}


def _draw(app):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    folder = Path(app.srcdir) / "_generated"
    folder.mkdir(exist_ok=True)
    # Without a date and with fixed names of parts, so that equal pictures are equal files.
    with mpl.rc_context({"svg.hashsalt": "softreg_fast", "font.size": 10}):
        for name, draw in PICTURES.items():
            figure = draw(pyplot)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            pyplot.close(figure)


def setup(app):
    """Have the pictures drawn before pages are read."""
    app.connect("builder-inited", _draw)
    return {"parallel_read_safe": True}
