"""Pictures of scores and models, by matplotlib."""

import warnings
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np

from .scores import Scores

_MOST_CLASSES = 12
_MOST_COEFFICIENTS = 10
_BLUE, _GREY = "#2b6cb0", "#8a8f98"


def has_matplotlib() -> bool:
    """Whether it is installed."""
    return find_spec("matplotlib") is not None


def draw_training(
    scores: Scores | None, classes: list[str], coefficients: list[dict[str, Any]]
) -> bytes:
    """The confusion matrix and calibration of held-out rows, and the largest coefficients.

    Returns
    -------
    bytes
        A PNG.
    """
    n_panels = 1 if scores is None else 3
    figure = _figure(n_panels)
    axes = figure.subplots(1, n_panels, squeeze=False)[0]
    if scores is not None:
        _draw_confusion(axes[0], scores, classes)
        _draw_calibration(axes[1], scores)
    _draw_coefficients(axes[-1], coefficients)
    return _png(figure)


def draw_scores(scores: Scores, classes: list[str]) -> bytes:
    """The confusion matrix and calibration of rows, as a PNG."""
    figure = _figure(2)
    left, right = figure.subplots(1, 2)
    _draw_confusion(left, scores, classes)
    _draw_calibration(right, scores)
    return _png(figure)


def _figure(n_panels: int) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * n_panels, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that the font doesn't have
        figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _draw_confusion(axes: Any, scores: Scores, classes: list[str]) -> None:
    order = np.argsort(-scores.confusion.sum(axis=1), kind="stable")[:_MOST_CLASSES]
    order = np.sort(order)
    counts = scores.confusion[np.ix_(order, order)]
    sums = np.maximum(scores.confusion.sum(axis=1)[order], 1e-300)
    shares = counts / sums[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    names = [_short(classes[place]) for place in order]
    places = range(len(order))
    axes.set_xticks(places, names, rotation=45 if len(order) > 3 else 0, parse_math=False)
    axes.set_yticks(places, names, parse_math=False)
    for row in places:
        for column in places:
            if counts[row, column]:
                axes.text(
                    column, row, f"{100 * shares[row, column]:.0f}%", ha="center", va="center",
                    color="white" if shares[row, column] > 0.5 else "black", fontsize=8,
                )  # fmt: skip
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    title = "of each true class, predicted as"
    if len(order) < len(classes):
        title += f" ({len(order)} largest of {len(classes)})"
    axes.set_title(title, fontsize=10)


def _draw_calibration(axes: Any, scores: Scores) -> None:
    weights, sums, n_right = scores.bins
    are_there = weights > 0
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="perfect")
    axes.plot(
        sums[are_there] / weights[are_there], n_right[are_there] / weights[are_there],
        marker="o", color=_BLUE, label="model",
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("probability of the predicted class")
    axes.set_ylabel("share that is right")
    error = scores.metrics()["calibration_error"]
    axes.set_title(f"calibration (expected error {error:.3f})", fontsize=10)
    axes.legend(loc="lower right", frameon=False)


def _draw_coefficients(axes: Any, coefficients: list[dict[str, Any]]) -> None:
    """The largest effects over all classes."""
    rows = [
        (f"{row['name']} → {of_class['class']}", row["effect_of_one_sd"])
        for of_class in coefficients
        for row in of_class["coefficients"]
    ]
    rows = sorted(rows, key=lambda row: -abs(row[1]))[:_MOST_COEFFICIENTS][::-1]
    axes.barh(range(len(rows)), [row[1] for row in rows], color=_BLUE)
    axes.axvline(0, color=_GREY, linewidth=1)
    axes.set_yticks(
        range(len(rows)), [_short(row[0], 32) for row in rows], fontsize=8, parse_math=False
    )
    axes.set_xlabel("change of the logit by one standard deviation, or by the category")
    axes.xaxis.label.set_fontsize(8)
    axes.set_title("largest coefficients", fontsize=10)


def _short(text: str, longest: int = 14) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
