"""Coefficients as a heat map, bars, images, or points with confidence intervals."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from .._typing import FloatArray
from ..data.checks import check_choice, check_integer, check_number
from .axes import (
    choose_axes,
    color_bar_beside,
    place_legend,
    printable,
    width_beside_names,
    wrapped,
)
from .checks import check_array, check_names, check_shape
from .coefficient_drawings import (
    draw_bars,
    draw_heatmap,
    draw_images,
    draw_intervals,
    figure_size,
    most_features,
)
from .colors import DIVERGING, add_color_bar, are_many, choose_colors
from .models import (
    attribute_of,
    default_feature_names,
    feature_names_of,
    last_step,
    name_of_class,
    names_of_rows,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.container import BarContainer, ErrorbarContainer
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage
    from matplotlib.legend import Legend
    from matplotlib.text import Text

_LONGEST_CLASS = 16
_KINDS = "auto", "heatmap", "bar", "image", "interval"


class CoefficientDisplay:
    """Coefficients of each class and feature, without the intercept.

    Use `from_estimator` to make one.

    Parameters
    ----------
    coef : array-like of shape (n_rows, n_features)
        Coefficients. A row is a class, or a comparison of a class with `reference`.
    feature_names : list of str, default=None
        Names of the features. None means "x0", "x1" and so on.
    class_names : list of str, default=None
        Names of the rows. None means their numbers.
    lower, upper : array-like of shape (n_rows, n_features), default=None
        Limits of confidence intervals.
    confidence : float, default=None
        Confidence level of the intervals, in (0, 1).
    reference : str, default=None
        Class that the rows are compared with.
    quantity : str, default="coefficient"
        What the numbers are, as labels say it.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    kind_ : {"heatmap", "bar", "image", "interval"}
        What was drawn.
    features_ : ndarray of int
        Places of the features that were drawn, in their order.
    image_ : matplotlib AxesImage or None
        Heat map; its rows are features.
    texts_ : list of matplotlib Text
        Numbers in the cells of a heat map, or titles of images.
    images_ : list of matplotlib AxesImage
        Of each row of coefficients.
    bars_ : list of matplotlib BarContainer
        Of each row of coefficients.
    intervals_ : list of matplotlib ErrorbarContainer
        Of each row of coefficients.
    color_bar_ : matplotlib Colorbar or None
    legend_ : matplotlib Legend or None

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_digits
    >>> from softreg_fast import SoftmaxClassifier
    >>> from softreg_fast.plotting import CoefficientDisplay
    >>> model = SoftmaxClassifier(C=0.01).fit(*load_digits(return_X_y=True))
    >>> display = CoefficientDisplay.from_estimator(model, image_shape=(8, 8))
    """

    ax_: "Axes"
    figure_: "Figure | SubFigure"
    kind_: str
    features_: npt.NDArray[np.intp]
    image_: "AxesImage | None"
    texts_: "list[Text]"
    images_: "list[AxesImage]"
    bars_: "list[BarContainer]"
    intervals_: "list[ErrorbarContainer]"
    color_bar_: "Colorbar | None"
    legend_: "Legend | None"

    def __init__(
        self,
        coef: Any,
        *,
        feature_names: Any = None,
        class_names: Any = None,
        lower: Any = None,
        upper: Any = None,
        confidence: float | None = None,
        reference: str | None = None,
        quantity: str = "coefficient",
    ) -> None:
        self.coef = check_array("coef", coef, "n_rows, n_features")
        n_rows, n_features = self.coef.shape
        if feature_names is None:
            feature_names = default_feature_names(n_features)
        self.feature_names = check_names(
            "feature_names", feature_names, n_features, "for each column of coefficients"
        )
        if class_names is None:
            class_names = range(n_rows)
        self.class_names = check_names(
            "class_names", class_names, n_rows, "for each row of coefficients"
        )
        if (lower is None) != (upper is None):
            raise ValueError("lower and upper must be given together, or neither")
        self.lower = self._limits("lower", lower)
        self.upper = self._limits("upper", upper)
        if self.lower is not None and self.upper is not None:
            is_wrong = (self.lower > self.coef) | (self.coef > self.upper)
            if is_wrong.any():
                row, column = np.argwhere(is_wrong)[0]
                raise ValueError(
                    f"coef[{row}, {column}] is not between lower and upper: it must be"
                )
        self.confidence = confidence
        if confidence is not None:
            self.confidence = check_number("confidence", confidence, above=0.0, below=1.0)
        self.reference = reference
        if not isinstance(quantity, str):
            raise TypeError(f"quantity={quantity!r} is not allowed: it must be a string")
        self.quantity = quantity

    def _limits(self, name: str, value: Any) -> FloatArray | None:
        if value is None:
            return None
        limits = check_array(name, value, "n_rows, n_features")
        return check_shape(name, limits, self.coef.shape, "coef")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        feature_names: Any = None,
        class_names: Any = None,
        n_features: Any = "auto",
        kind: str = "auto",
        image_shape: Any = None,
        summary: Any = None,
        cmap: Any = DIVERGING,
        ax: Any = None,
    ) -> "CoefficientDisplay":
        """Draw the coefficients of a fitted model.

        Parameters
        ----------
        estimator : estimator or Pipeline
            Fitted classifier, or a pipeline that ends in one.
        feature_names : list of str, default=None
            Names of the columns of ``coef_``. None means those that the model or its pipeline has.
        class_names : list of str, default=None
            Names of all classes, in the order of ``classes_``. None means the labels.
        summary : Summary, default=None
            What the method ``summary`` of the model gave. Its coefficients and confidence intervals
            are drawn. Without regularization these are comparisons with the first class.
        n_features, kind, image_shape, cmap, ax
            See `plot`.

        Returns
        -------
        CoefficientDisplay

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If an argument is not allowed.
        """
        model = last_step(estimator)
        coef = attribute_of(model, "coef_")
        coef = coef.toarray() if issparse(coef) else coef
        labels = [str(label) for label in attribute_of(model, "classes_")]
        n_columns = np.shape(coef)[-1]
        if feature_names is None:
            feature_names = feature_names_of(estimator, n_columns)
        if class_names is None:
            class_names = labels
        names = check_names("class_names", class_names, len(labels), "for each class")
        if summary is not None:
            display = cls._of_summary(summary, n_columns, feature_names, labels, names)
        else:
            rows, reference = names_of_rows(names, len(coef))
            display = cls(coef, feature_names=feature_names, class_names=rows, reference=reference)
        return display.plot(
            ax, kind=kind, n_features=n_features, image_shape=image_shape, cmap=cmap
        )

    @classmethod
    def _of_summary(
        cls, summary: Any, n_columns: int, feature_names: Any, labels: list[str], names: list[str]
    ) -> "CoefficientDisplay":
        """See `from_estimator`."""
        from ..inference.summary import Summary

        if not isinstance(summary, Summary):
            raise TypeError(
                f"summary is a {type(summary).__name__}: it must be what the method summary of the "
                "model gives"
            )
        n_before = len(summary.names) - n_columns  # the intercept, where there is one
        named = dict(zip(labels, names, strict=True))
        known = {str(label) for label in summary.classes} <= set(named)
        if n_before not in (0, 1) or not known:
            raise ValueError(
                f"summary has the classes {list(summary.classes)} and {len(summary.names)} columns "
                f"of coefficients: the model has the classes {labels} and {n_columns} features, so "
                "that it is of another model"
            )
        reference = None if summary.reference is None else named[str(summary.reference)]
        return cls(
            summary.coef[:, n_before:],
            feature_names=feature_names,
            class_names=[named[str(label)] for label in summary.classes],
            lower=summary.lower[:, n_before:],
            upper=summary.upper[:, n_before:],
            confidence=summary.confidence,
            reference=reference,
        )

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "auto",
        n_features: Any = "auto",
        image_shape: Any = None,
        cmap: Any = DIVERGING,
    ) -> "CoefficientDisplay":
        """Draw the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure, whose height follows from what is drawn.
        kind : {"auto", "heatmap", "bar", "image", "interval"}, default="auto"
            What is drawn.

            - "heatmap" has a row for each feature, a column for each class, and colours.
            - "bar" has a group of bars for each feature.
            - "image" has an image of `image_shape` for each class.
            - "interval" has points with confidence intervals.
            - "auto" is "image" with `image_shape`, "interval" with confidence intervals, "bar" if
              there is one row of coefficients, and "heatmap" otherwise.
        n_features : int, "auto" or None, default="auto"
            How many features are drawn, those with the largest absolute coefficient of any class,
            the largest first. "auto" is 20, or fewer where many classes have bars or intervals.
            None means all. Features stand in their own order if all are drawn. Images show all.
        image_shape : tuple of two int, default=None
            Height and width of an image, whose pixels are the features, row by row.
        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colours of heat maps and images; their middle is zero.

        Returns
        -------
        self : CoefficientDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed.
        """
        kind = self._choose_kind(kind, image_shape)
        features = self._choose_features(kind, n_features)
        if kind == "image":
            image_shape = _check_image_shape(image_shape, self.coef.shape[1])
        classes = [printable(name, _LONGEST_CLASS) for name in self.class_names]
        names = [printable(self.feature_names[feature]) for feature in features]
        ax = choose_axes(ax, figure_size(kind, classes, len(features), image_shape))
        self.ax_, self.figure_, self.kind_, self.features_ = ax, ax.figure, kind, features
        self.image_ = self.color_bar_ = self.legend_ = None
        self.texts_, self.images_, self.bars_, self.intervals_ = [], [], [], []
        shown = self.coef[:, features]
        if kind == "heatmap":
            self.image_, self.texts_ = draw_heatmap(ax, shown, names, classes, cmap)
            self.color_bar_ = color_bar_beside(ax, self.image_, self._describe())
        elif kind == "image":
            self.images_, self.texts_ = draw_images(ax, shown, image_shape, classes, cmap)
            self.color_bar_ = color_bar_beside(ax, self.images_[0], self._describe())
        else:
            self._draw_groups(ax, kind, features, names, classes)
        if kind != "image" and len(features) < self.coef.shape[1]:
            ax.set_ylabel(f"{len(features)} largest of {self.coef.shape[1]} features")
        return self

    def _choose_kind(self, kind: str, image_shape: Any) -> str:
        """What is drawn, if it can be."""
        check_choice("kind", kind, _KINDS)
        has_limits = self.lower is not None
        if kind == "auto":
            if image_shape is not None:
                return "image"
            if has_limits:
                return "interval"
            return "bar" if len(self.coef) == 1 else "heatmap"
        if (kind == "image") != (image_shape is not None):
            allowed = "must be (height, width)" if kind == "image" else "must be None"
            raise ValueError(f"image_shape={image_shape!r} is not allowed: {allowed} with {kind=}")
        if kind == "interval" and not has_limits:
            raise ValueError(f"{kind=} is not allowed without confidence intervals: give a summary")
        return kind

    def _choose_features(self, kind: str, n_features: Any) -> npt.NDArray[np.intp]:
        """Places of the features that are drawn."""
        n_all = self.coef.shape[1]
        if n_features is not None and not (isinstance(n_features, str) and n_features == "auto"):
            n_features = check_integer(
                "n_features", n_features, minimum=1, alternative="'auto' or None"
            )
        elif n_features is not None:
            n_features = most_features(kind, len(self.coef))
        if kind == "image" or n_features is None or n_features >= n_all:
            return np.arange(n_all)
        sizes = np.abs(self.coef).max(axis=0)
        return np.argsort(-sizes, kind="stable")[:n_features]

    def _draw_groups(
        self,
        ax: "Axes",
        kind: str,
        features: npt.NDArray[np.intp],
        names: list[str],
        classes: list[str],
    ) -> None:
        """Bars or intervals, in colours of the classes."""
        colors = choose_colors(len(classes))
        has_bar = are_many(len(classes))
        labels = (
            [None] * len(classes)
            if has_bar or len(classes) == 1
            else [*map(name_of_class, classes)]
        )
        shown = self.coef[:, features]
        if kind == "bar":
            self.bars_ = draw_bars(ax, shown, names, labels, colors)
        else:
            assert self.lower is not None
            assert self.upper is not None
            limits = self.lower[:, features], self.upper[:, features]
            self.intervals_ = draw_intervals(ax, shown, *limits, names, labels, colors)
        text = self._describe(has_intervals=kind == "interval")
        ax.set_xlabel(wrapped(text, width_beside_names(ax, names)), parse_math=False)
        if has_bar:
            self.color_bar_ = add_color_bar(ax, colors, classes, "class")
        else:
            self.legend_ = place_legend(ax)

    def _describe(self, *, has_intervals: bool = False) -> str:
        """What a number is."""
        text = self.quantity
        if self.reference is not None:
            against = name_of_class(printable(self.reference))
            if len(self.class_names) == 1:
                text += f" for {name_of_class(printable(self.class_names[0]))}"
            text += f" against {against}"
        if has_intervals and self.confidence is not None:
            text += f", with {100 * self.confidence:.4g} % interval"
        return text


def _check_image_shape(image_shape: Any, n_features: int) -> tuple[int, int]:
    """Height and width, if they have as many pixels as there are features."""
    try:
        sides = tuple(image_shape)
    except TypeError as error:
        raise TypeError(
            f"image_shape={image_shape!r} is not allowed: it must be (height, width)"
        ) from error
    if len(sides) == 3:
        raise ValueError(
            f"image_shape={image_shape!r} is not allowed: it must be (height, width). Of several "
            "channels, give the coefficients of one at a time to CoefficientDisplay"
        )
    if len(sides) != 2:
        raise ValueError(f"image_shape={image_shape!r} is not allowed: it must be (height, width)")
    height = check_integer("image_shape[0]", sides[0], minimum=1)
    width = check_integer("image_shape[1]", sides[1], minimum=1)
    if height * width != n_features:
        raise ValueError(
            f"image_shape={image_shape!r} is not allowed: it has {height * width} pixels, and the "
            f"model has {n_features} coefficients for each class"
        )
    return height, width
