"""Pictures of scores and models, by matplotlib."""

import warnings
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np

from ..plotting import CoefficientDisplay, MulticlassCalibrationDisplay, ReliabilityCurve
from ..plotting.axes import label_columns, label_rows, printable
from ..plotting.models import names_of_rows
from .explaining import scales_of, shown_names
from .scores import Scores
from .tables.columns import ColumnTable

_MOST_CLASSES = 12
_MOST_FEATURES = 12
_LONGEST_CLASS = 14
_INCHES_OF_PANELS, _HEIGHT = (5.0, 4.6, 6.4), 4.6


def has_matplotlib() -> bool:
    """Whether it is installed."""
    return find_spec("matplotlib") is not None


def draw_training(
    scores: Scores | None, classes: list[str], model: Any, table: ColumnTable
) -> bytes:
    """The confusion matrix and calibration of held-out rows, and the largest coefficients.

    Returns
    -------
    bytes
        A PNG.
    """
    figure, axes = _panels(_INCHES_OF_PANELS[0 if scores is not None else -1 :])
    if scores is not None:
        _draw_scores(axes, scores, classes)
    _draw_coefficients(axes[-1], classes, model, table)
    return _png(figure)


def draw_scores(scores: Scores, classes: list[str]) -> bytes:
    """The confusion matrix and calibration of rows, as a PNG."""
    figure, axes = _panels(_INCHES_OF_PANELS[:2])
    _draw_scores(axes, scores, classes)
    return _png(figure)


def _panels(widths: tuple[float, ...]) -> tuple[Any, Any]:
    """A figure with axes side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(sum(widths), _HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that the font doesn't have
        figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _draw_scores(axes: Any, scores: Scores, classes: list[str]) -> None:
    _draw_confusion(axes[0], scores, classes)
    weights, sums, n_right = scores.bins[:, scores.bins[0] > 0.0]
    curve = ReliabilityCurve(
        "predicted class", n_right / weights, sums / weights, scores.metrics()["calibration_error"]
    )
    MulticlassCalibrationDisplay([], curve).plot(axes[1])
    axes[1].set_ylabel("share that is right")


def _draw_confusion(axes: Any, scores: Scores, classes: list[str]) -> None:
    from sklearn.metrics import ConfusionMatrixDisplay

    sums = scores.confusion.sum(axis=1)
    order = np.sort(np.argsort(-sums, kind="stable")[:_MOST_CLASSES])
    counts = scores.confusion[np.ix_(order, order)]
    percents = 100.0 * counts / np.maximum(sums[order], 1e-300)[:, None]
    display = ConfusionMatrixDisplay(percents).plot(
        ax=axes, cmap="Blues", values_format=".0f", colorbar=False,
        im_kw={"vmin": 0.0, "vmax": 100.0}, text_kw={"fontsize": 8},
    )  # fmt: skip
    for text, percent in zip(display.text_.ravel(), percents.ravel(), strict=True):
        text.set(color="white" if percent > 50.0 else "black", visible=percent > 0.0)
    names = [printable(classes[place], _LONGEST_CLASS) for place in order]
    label_columns(axes, names)
    label_rows(axes, names)
    axes.set(xlabel="predicted", ylabel="true")
    title = "percent of each true class, predicted as"
    if len(order) < len(classes):
        title += f"\n({len(order)} largest of {len(classes)})"
    axes.set_title(title, fontsize=10)


def _draw_coefficients(axes: Any, classes: list[str], model: Any, table: ColumnTable) -> None:
    effects = np.asarray(model.coef_, np.float64) * scales_of(model, table)
    rows, reference = names_of_rows(classes, len(effects))
    display = CoefficientDisplay(
        effects, feature_names=shown_names(model, table), class_names=rows, reference=reference,
        quantity="change of the logit by one standard deviation or category",
    )  # fmt: skip
    display.plot(axes, n_features=_MOST_FEATURES)
    axes.set_title("coefficients", fontsize=10)
