"""Coefficients against the strength of the penalty."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import FloatArray
from ..data.checks import check_integer, check_number
from .axes import choose_axes, place_legend, printable
from .checks import check_array, check_names, check_strengths, find_class
from .colors import GREY, LINE_STYLES, PALETTE
from .models import (
    attribute_of,
    default_feature_names,
    feature_names_of,
    last_step,
    name_of_class,
    names_of_rows,
)
from .strengths import format_strength, label_strengths, place_strengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

_MOST_IN_COLOR = len(PALETTE) * len(LINE_STYLES)
_MOST_MARKERS = 15
# Inches, of figures with long legends.
_WIDTH, _LEAST_HEIGHT, _HEIGHT_OF_ENTRY = 6.4, 4.8, 0.23


class RegularizationPathDisplay:
    """Coefficients of models along a path of regularization strengths.

    The features with the largest coefficients have colours, the others are grey. Use
    `from_estimator` or `from_path` to make one.

    Parameters
    ----------
    Cs : array-like of shape (n_cs,)
        Inverse regularization strengths, in any order. ``np.inf`` has a place at the right.
    coefs : array-like of shape (n_cs, n_classes or 1, n_features)
        Coefficients of the models.
    feature_names : list of str, default=None
        Names of the features. None means "x0", "x1" and so on.
    class_names : list of str, default=None
        Names of the rows of coefficients. None means their numbers.
    C : float, default=None
        Inverse regularization strength to mark.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Of the features with colours, the largest first.
    other_lines_ : matplotlib LineCollection or None
        Of the others.
    chosen_line_ : matplotlib Line2D or None
        At `C`.
    legend_ : matplotlib Legend

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast import SoftmaxClassifierCV
    >>> from softreg_fast.plotting import RegularizationPathDisplay
    >>> model = SoftmaxClassifierCV().fit(*load_iris(return_X_y=True))
    >>> display = RegularizationPathDisplay.from_estimator(model)
    """

    ax_: "Axes"
    figure_: "Figure | SubFigure"
    lines_: "list[Line2D]"
    other_lines_: "LineCollection | None"
    chosen_line_: "Line2D | None"
    legend_: "Legend | None"

    def __init__(
        self,
        Cs: Any,
        coefs: Any,
        *,
        feature_names: Any = None,
        class_names: Any = None,
        C: float | None = None,
    ) -> None:
        self.Cs = check_strengths("Cs", Cs)
        self.coefs = check_array("coefs", coefs, "n_cs, n_classes, n_features")
        n_cs, n_rows, n_features = self.coefs.shape
        if n_cs != len(self.Cs):
            raise ValueError(
                f"coefs has {n_cs} models: it must have {len(self.Cs)}, one for each C"
            )
        if feature_names is None:
            feature_names = default_feature_names(n_features)
        self.feature_names = check_names(
            "feature_names", feature_names, n_features, "for each feature"
        )
        if class_names is None:
            class_names = range(n_rows)
        self.class_names = check_names(
            "class_names", class_names, n_rows, "for each row of coefficients"
        )
        self.C = C
        if C is not None:
            self.C = check_number("C", C, above=0.0, allow_infinity=True)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        l1_ratio: float | None = None,
        fold: int | None = None,
        feature_names: Any = None,
        class_name: Any = None,
        n_features: int = len(PALETTE),
        ax: Any = None,
    ) -> "RegularizationPathDisplay":
        """Draw the paths of a cross-validated model.

        Parameters
        ----------
        estimator : SoftmaxClassifierCV or Pipeline
            Fitted model, or a pipeline that ends in one.
        l1_ratio : float, default=None
            Which of ``l1_ratios_``. None means the best one.
        fold : int, default=None
            Which fold's models. None means the means of all folds.
        feature_names : list of str, default=None
            Names of the columns of ``coef_``. None means those that the model or its pipeline has.
        class_name, n_features, ax
            See `plot`.

        Returns
        -------
        RegularizationPathDisplay

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If an argument is not allowed.
        """
        model = last_step(estimator)
        paths = attribute_of(model, "coefs_paths_")
        n_columns = attribute_of(model, "coef_").shape[1]
        place = _place_of(l1_ratio, attribute_of(model, "l1_ratios_"), model.l1_ratio_)
        if fold is None:
            coefs = paths[:, place].mean(axis=0)
        else:
            coefs = paths[check_integer("fold", fold, minimum=0, maximum=len(paths) - 1), place]
        if feature_names is None:
            feature_names = feature_names_of(estimator, n_columns)
        rows, _ = names_of_rows([str(label) for label in model.classes_], coefs.shape[1])
        display = cls(
            model.Cs_,
            coefs[..., :n_columns],
            feature_names=feature_names,
            class_names=rows,
            C=model.C_,
        )
        return display.plot(ax, class_name=class_name, n_features=n_features)

    @classmethod
    def from_path(
        cls,
        path: Any,
        *,
        C: float | None = None,
        feature_names: Any = None,
        class_names: Any = None,
        class_name: Any = None,
        n_features: int = len(PALETTE),
        ax: Any = None,
    ) -> "RegularizationPathDisplay":
        """Draw a path that was calculated before.

        Parameters
        ----------
        path : object
            With attributes ``Cs`` of shape (n_cs,) and ``coefs`` of shape (n_cs, n_classes or 1,
            n_features).
        C : float, default=None
            Inverse regularization strength to mark.
        feature_names, class_names : list of str, default=None
            Names of the features and of the rows of coefficients.
        class_name, n_features, ax
            See `plot`.

        Returns
        -------
        RegularizationPathDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed.
        """
        for name in ("Cs", "coefs"):
            if not hasattr(path, name):
                raise TypeError(
                    f"path is a {type(path).__name__}, which has no attribute {name}: it must have "
                    "Cs and coefs"
                )
        display = cls(
            path.Cs, path.coefs, feature_names=feature_names, class_names=class_names, C=C
        )
        return display.plot(ax, class_name=class_name, n_features=n_features)

    def plot(
        self, ax: Any = None, *, class_name: Any = None, n_features: int = len(PALETTE)
    ) -> "RegularizationPathDisplay":
        """Draw the paths.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.
        class_name : object, default=None
            The class whose coefficients are drawn. None means, of several classes, the Euclidean
            norm of a feature's coefficients over the classes, which is zero where the feature has
            none.
        n_features : int, default=7
            How many features have a colour and a name, at most 28.

        Returns
        -------
        self : RegularizationPathDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed.
        """
        check_integer("n_features", n_features, minimum=1, maximum=_MOST_IN_COLOR)
        heights, what = self._heights(class_name)
        order = np.argsort(self.Cs, kind="stable")
        positions, heights = place_strengths(self.Cs)[order], heights[order]
        by_size = np.argsort(-np.abs(heights).max(axis=0), kind="stable")
        named, others = by_size[:n_features], by_size[n_features:]
        height = _HEIGHT_OF_ENTRY * (len(named) + 3)
        ax = choose_axes(ax, (_WIDTH, height) if height > _LEAST_HEIGHT else None)
        self.ax_, self.figure_ = ax, ax.figure
        marker = "o" if len(self.Cs) <= _MOST_MARKERS else ""
        self.lines_ = [
            ax.plot(
                positions, heights[:, feature], marker=marker, markersize=3,
                color=PALETTE[place % len(PALETTE)],
                linestyle=LINE_STYLES[place // len(PALETTE)],
                label=printable(self.feature_names[feature]),
            )[0]
            for place, feature in enumerate(named.tolist())
        ]  # fmt: skip
        self.other_lines_ = _draw_others(ax, positions, heights[:, others])
        self.chosen_line_ = None
        if self.C is not None:
            at = float(place_strengths(np.append(self.Cs, self.C))[-1])
            self.chosen_line_ = ax.axvline(
                at, color="black", linestyle="--", linewidth=1.0,
                label=f"chosen C = {format_strength(self.C)}",
            )  # fmt: skip
        label_strengths(ax, self.Cs if self.C is None else np.append(self.Cs, self.C))
        ax.set_ylabel(what, parse_math=False)
        self.legend_ = place_legend(ax)
        return self

    def _heights(self, class_name: Any) -> tuple[FloatArray, str]:
        """A number for each model and feature, and what it is."""
        if class_name is not None:
            row = find_class("class_name", class_name, self.class_names)
            name = name_of_class(printable(self.class_names[row]))
            return self.coefs[:, row], f"coefficient for {name}"
        if self.coefs.shape[1] == 1:
            return self.coefs[:, 0], "coefficient"
        norms: FloatArray = np.sqrt(np.sum(self.coefs**2, axis=1))
        return norms, "norm of the coefficients of all classes"


def _draw_others(ax: "Axes", positions: FloatArray, heights: FloatArray) -> "LineCollection | None":
    """Thin lines of features without a colour."""
    from matplotlib.collections import LineCollection

    n_others = heights.shape[1]
    if n_others == 0:
        return None
    lines = LineCollection(
        [np.column_stack([positions, values]) for values in heights.T],
        colors=GREY, linewidths=0.6, zorder=1,
        label=f"{n_others} other {'features' if n_others > 1 else 'feature'}",
    )  # fmt: skip
    ax.add_collection(lines)
    ax.autoscale_view()
    return lines


def _place_of(l1_ratio: float | None, l1_ratios: FloatArray, best: float) -> int:
    """Which of the ratios was asked for."""
    wanted = best if l1_ratio is None else check_number("l1_ratio", l1_ratio)
    places = np.flatnonzero(np.asarray(l1_ratios) == wanted)
    if not len(places):
        raise ValueError(
            f"l1_ratio={l1_ratio!r} is not allowed: it must be one of {list(map(float, l1_ratios))}"
        )
    return int(places[0])
