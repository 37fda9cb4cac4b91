"""Reliability of the predicted probabilities of several classes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..data.checks import check_choice, check_flag, check_integer
from ..data.labels import encode_known
from .axes import choose_two_axes, place_legend, printable
from .checks import check_array, check_names
from .colors import GREY, add_color_bar, are_many, choose_colors
from .models import attribute_of, last_step, name_of_class
from .reliability import ReliabilityCurve, reliability_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

_STRATEGIES = "uniform", "quantile"
_MOST_OFF_ONE = 1e-3  # sums of probabilities, as of float16
_BINS_OF_HISTOGRAM = np.linspace(0.0, 1.0, 21).tolist()
_TOP_LABEL = "predicted class"
_LONGEST_CLASS = 16  # name beside a bar of colours


class MulticlassCalibrationDisplay:
    """Reliability curves of each class against the others, and of the predicted class.

    A point is a bin of samples: the mean probability that was predicted for a class, and the share
    of the samples that are of it. The curve of the predicted class has the probability of the class
    that is the most probable, and the share of samples that are of that class. Of two classes, only
    the second one has a curve of its own, because that of the first is its mirror image. Use
    `from_estimator` or `from_predictions` to make one.

    Parameters
    ----------
    curves : sequence of ReliabilityCurve
        Of classes; empty to draw that of the predicted class alone.
    top_label : ReliabilityCurve
        Of the predicted class.

    Attributes
    ----------
    ax_ : matplotlib Axes
    histogram_ax_ : matplotlib Axes or None
        Axes with the histogram of predictions.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Of the classes.
    top_label_line_ : matplotlib Line2D
        Of the predicted class.
    color_bar_ : matplotlib Colorbar or None
        In place of a legend for more than seven classes.
    legend_ : matplotlib Legend

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast import SoftmaxClassifier
    >>> from softreg_fast.plotting import MulticlassCalibrationDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxClassifier().fit(X[::2], y[::2])
    >>> display = MulticlassCalibrationDisplay.from_estimator(model, X[1::2], y[1::2], n_bins=5)
    """

    ax_: "Axes"
    histogram_ax_: "Axes | None"
    figure_: "Figure | SubFigure"
    lines_: "list[Line2D]"
    top_label_line_: "Line2D"
    color_bar_: "Colorbar | None"
    legend_: "Legend | None"

    def __init__(self, curves: Sequence[ReliabilityCurve], top_label: ReliabilityCurve) -> None:
        for each in (*curves, top_label):
            if not isinstance(each, ReliabilityCurve):
                raise TypeError(f"{each!r} is not allowed: curves must be of ReliabilityCurve")
        self.curves = list(curves)
        self.top_label = top_label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        class_names: Any = None,
        n_bins: int = 10,
        strategy: str = "uniform",
        histogram: bool = False,
        ax: Any = None,
        histogram_ax: Any = None,
    ) -> "MulticlassCalibrationDisplay":
        """Draw the reliability of what a model predicts.

        Parameters
        ----------
        estimator : estimator or Pipeline
            Fitted classifier with ``predict_proba``.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, not those of the fit.
        y : array-like of shape (n_samples,)
            True labels.
        class_names, n_bins, strategy
            See `from_predictions`.
        histogram, ax, histogram_ax
            See `plot`.

        Returns
        -------
        MulticlassCalibrationDisplay

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If an argument is not allowed.
        """
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"{type(estimator).__name__} has no predict_proba: give its probabilities to "
                "from_predictions"
            )
        attribute_of(last_step(estimator), "classes_")
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            estimator.classes_,
            class_names=class_names,
            n_bins=n_bins,
            strategy=strategy,
            histogram=histogram,
            ax=ax,
            histogram_ax=histogram_ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y: Any,
        proba: Any,
        classes: Any = None,
        *,
        class_names: Any = None,
        n_bins: int = 10,
        strategy: str = "uniform",
        histogram: bool = False,
        ax: Any = None,
        histogram_ax: Any = None,
    ) -> "MulticlassCalibrationDisplay":
        """Draw the reliability of given probabilities.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            True labels.
        proba : array-like of shape (n_samples, n_classes)
            Predicted probabilities.
        classes : array-like of shape (n_classes,), default=None
            Labels of the columns. None means those in `y`, sorted.
        class_names : list of str, default=None
            Names of the classes. None means their labels.
        n_bins : int, default=10
            Number of bins. Those without samples have no point.
        strategy : {"uniform", "quantile"}, default="uniform"
            Whether bins are equally wide, or have equally many samples.
        histogram, ax, histogram_ax
            See `plot`.

        Returns
        -------
        MulticlassCalibrationDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed.
        """
        check_integer("n_bins", n_bins, minimum=1)
        check_choice("strategy", strategy, _STRATEGIES)
        probabilities = _check_probabilities(proba)
        targets, labels = _encode(y, classes, probabilities.shape)
        if class_names is None:
            class_names = labels.tolist()
        names = check_names("class_names", class_names, len(labels), "for each class")
        columns = range(1, 2) if len(names) == 2 else range(len(names))
        curves = [
            reliability_curve(
                names[column],
                targets == column,
                probabilities[:, column],
                n_bins,
                strategy,
            )
            for column in columns
        ]
        is_right = probabilities.argmax(axis=1) == targets
        top_label = reliability_curve(
            _TOP_LABEL, is_right, probabilities.max(axis=1), n_bins, strategy
        )
        return cls(curves, top_label).plot(ax, histogram=histogram, histogram_ax=histogram_ax)

    def plot(
        self, ax: Any = None, *, histogram: bool = False, histogram_ax: Any = None
    ) -> "MulticlassCalibrationDisplay":
        """Draw the curves; the legend has the expected calibration error (ECE) of each.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.
        histogram : bool, default=False
            Whether a new figure has a histogram of the predictions below.
        histogram_ax : matplotlib Axes, default=None
            Axes to draw a histogram on, if `ax` is given.

        Returns
        -------
        self : MulticlassCalibrationDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed.
        """
        histogram = check_flag("histogram", histogram)
        if (histogram or histogram_ax is not None) and not len(self.top_label.probabilities):
            raise ValueError("a histogram is not allowed: the curves have no probabilities")
        ax, histogram_ax = choose_two_axes(
            ax, "histogram_ax", histogram_ax, (3, 1), is_wanted=histogram
        )
        self.ax_, self.histogram_ax_, self.figure_ = ax, histogram_ax, ax.figure
        colors = choose_colors(len(self.curves))
        has_bar = are_many(len(self.curves))
        ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfectly calibrated")
        self.lines_ = [
            ax.plot(
                curve.prob_pred, curve.prob_true, color=color, marker="o",
                markersize=3 if has_bar else 4, linewidth=0.8 if has_bar else 1.5,
                label=None if has_bar else _label(curve),
            )[0]
            for curve, color in zip(self.curves, colors, strict=True)
        ]  # fmt: skip
        (self.top_label_line_,) = ax.plot(
            self.top_label.prob_pred, self.top_label.prob_true, color="black", linestyle="--",
            marker="s", markersize=4, linewidth=2.0, label=_label(self.top_label),
        )  # fmt: skip
        ax.set(ylabel="share of samples of the class", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        if histogram_ax is not None:
            self._draw_histogram(histogram_ax, [] if has_bar else colors)
        (ax if histogram_ax is None else histogram_ax).set_xlabel("predicted probability")
        self.color_bar_ = None
        if has_bar:
            errors = [curve.expected_calibration_error for curve in self.curves]
            self.lines_[0].set_label(f"classes (mean ECE {np.mean(errors):.3f})")
            names = [printable(curve.name, _LONGEST_CLASS) for curve in self.curves]
            self.color_bar_ = add_color_bar(ax, colors, names, "class")
        is_short = has_bar or not self.curves
        self.legend_ = place_legend(ax, "above" if is_short else "beside")
        return self

    def _draw_histogram(self, ax: "Axes", colors: Sequence[Any]) -> None:
        """Numbers of predictions: of the predicted class, and of each if they are few."""
        ax.hist(self.top_label.probabilities, _BINS_OF_HISTOGRAM, color="0.8")
        for curve, color in zip(self.curves, colors, strict=False):
            ax.hist(curve.probabilities, _BINS_OF_HISTOGRAM, histtype="step", color=color)
        ax.set_ylabel("samples")


def _label(curve: ReliabilityCurve) -> str:
    return f"{name_of_class(printable(curve.name))}\n(ECE {curve.expected_calibration_error:.3f})"


def _check_probabilities(proba: Any) -> FloatArray:
    """Probabilities of at least two classes, whose sums are 1."""
    probabilities = check_array("proba", proba, "n_samples, n_classes")
    if probabilities.shape[1] < 2:
        raise ValueError(
            f"proba has shape {probabilities.shape}: it must have at least 2 columns, one for each "
            "class"
        )
    if probabilities.min() < 0.0:
        raise ValueError(f"proba has {probabilities.min():g}: all must be from 0 to 1")
    sums = probabilities.sum(axis=1)
    place = int(np.abs(sums - 1.0).argmax())
    if abs(sums[place] - 1.0) > _MOST_OFF_ONE:
        raise ValueError(f"row {place} of proba has the sum {sums[place]:g}: it must be 1")
    return probabilities


def _encode(
    y: Any, classes: Any, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
    """Of each row, the column of its class; and the classes."""
    labels = np.asarray(y)
    if labels.shape != shape[:1]:
        raise ValueError(f"y has shape {labels.shape}: it must be ({shape[0]},), as proba has rows")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError(f"y[{np.isnan(labels).argmax()}] is NaN: labels must not be")
    columns = np.unique(labels) if classes is None else np.asarray(classes)
    if columns.shape != shape[1:]:
        whose = "y has" if classes is None else "classes has"
        raise ValueError(f"{whose} {columns.size} classes: proba has {shape[1]} columns")
    order = np.argsort(columns)
    targets = encode_known("y", labels, columns[order])
    return order.astype(np.int32)[targets], columns
