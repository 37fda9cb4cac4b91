"""Scores of cross-validation against the strength of the penalty."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import FloatArray
from .._warning import warn_caller
from ..data.checks import check_choice
from ..estimators.selection import BEST, ONE_STANDARD_ERROR, choose_by_scores
from .axes import choose_axes, place_legend
from .checks import check_array, check_strengths
from .colors import add_color_bar, are_many, choose_colors
from .models import attribute_of, last_step
from .strengths import format_strength, label_strengths, place_strengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

_SPREADS = "standard_error", "std", "none"
_MOST_BANDS = 3
_MOST_MARKERS = 30


class CVScoreDisplay:
    """Mean scores of cross-validation, and their spread, against `C`.

    A line for each `l1_ratio`. The best `C` is marked, and so is the smallest one, which is the
    strongest penalty, whose mean score is within one standard error of the best (Breiman et al.,
    Classification and regression trees, 1984, 3.4.3). Use `from_estimator` to make one.

    Parameters
    ----------
    Cs : array-like of shape (n_cs,)
        Inverse regularization strengths, in any order. ``np.inf`` has a place at the right.
    scores : array-like of shape (n_folds, n_l1_ratios, n_cs)
        Scores on held-out samples, higher ones better. A warning says if some are not finite; means
        of those are left out.
    l1_ratios : array-like of shape (n_l1_ratios,), default=(0.0,)
    score_name : str, default="score"
        What the scores are.

    Attributes
    ----------
    best_C_, best_l1_ratio_ : float
        Those with the best mean score. Of equals the first `C` counts.
    one_standard_error_C_ : float or None
        Smallest `C` whose mean score, with the best `l1_ratio`, is within one standard error of the
        best. None if there is one fold.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Mean scores, for each `l1_ratio`.
    bands_ : list of matplotlib PolyCollection
        Spreads, for each `l1_ratio`; for the best one if there are more than three.
    best_line_, one_standard_error_line_ : matplotlib Line2D or None
    color_bar_ : matplotlib Colorbar or None
        In place of a legend for more than seven values of `l1_ratio`.
    legend_ : matplotlib Legend

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast import SoftmaxClassifierCV
    >>> from softreg_fast.plotting import CVScoreDisplay
    >>> model = SoftmaxClassifierCV(Cs=20).fit(*load_iris(return_X_y=True))
    >>> display = CVScoreDisplay.from_estimator(model)
    >>> display.one_standard_error_C_ <= display.best_C_ == model.C_
    True
    """

    ax_: "Axes"
    figure_: "Figure | SubFigure"
    lines_: "list[Line2D]"
    bands_: "list[PolyCollection]"
    best_line_: "Line2D"
    one_standard_error_line_: "Line2D | None"
    color_bar_: "Colorbar | None"
    legend_: "Legend | None"

    def __init__(
        self, Cs: Any, scores: Any, *, l1_ratios: Any = (0.0,), score_name: str = "score"
    ) -> None:
        self.Cs = check_strengths("Cs", Cs)
        self.l1_ratios = check_array("l1_ratios", l1_ratios, "n_l1_ratios")
        self.scores = _check_scores(scores, (len(self.l1_ratios), len(self.Cs)))
        self.score_name = score_name
        with np.errstate(invalid="ignore"):
            self._means = self.scores.mean(axis=0)
            # Without warnings of a single fold, whose deviation is unknown.
            has_folds = len(self.scores) > 1
            self._deviations = self.scores.std(axis=0, ddof=1) if has_folds else None
            self._best = choose_by_scores(self.scores, self.Cs, BEST)
        ratio, place = self._best
        self.best_C_ = float(self.Cs[place])
        self.best_l1_ratio_ = float(self.l1_ratios[ratio])
        self.one_standard_error_C_: float | None = None
        if self._deviations is not None and np.isfinite(self._deviations[self._best]):
            with np.errstate(invalid="ignore"):
                _, place = choose_by_scores(self.scores, self.Cs, ONE_STANDARD_ERROR)
            self.one_standard_error_C_ = float(self.Cs[place])

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, spread: str = "standard_error", ax: Any = None
    ) -> "CVScoreDisplay":
        """Draw the scores of a cross-validated model.

        Parameters
        ----------
        estimator : SoftmaxClassifierCV or Pipeline
            Fitted model, or a pipeline that ends in one.
        spread, ax
            See `plot`.

        Returns
        -------
        CVScoreDisplay

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If an argument is not allowed.
        """
        model = last_step(estimator)
        scores = attribute_of(model, "scores_")
        scoring = getattr(model, "scoring", None) or "accuracy"
        display = cls(
            attribute_of(model, "Cs_"),
            scores,
            l1_ratios=attribute_of(model, "l1_ratios_"),
            score_name=scoring if isinstance(scoring, str) else "score",
        )
        return display.plot(ax, spread=spread)

    def plot(self, ax: Any = None, *, spread: str = "standard_error") -> "CVScoreDisplay":
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.
        spread : {"standard_error", "std", "none"}, default="standard_error"
            What bands around the means are: one standard error of the mean, or one standard
            deviation of the folds, to both sides. There are none if there is one fold.

        Returns
        -------
        self : CVScoreDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed.
        """
        check_choice("spread", spread, _SPREADS)
        ax = choose_axes(ax)
        self.ax_, self.figure_ = ax, ax.figure
        order = np.argsort(self.Cs, kind="stable")
        positions = place_strengths(self.Cs)
        x, means = positions[order], np.ma.masked_invalid(self._means[:, order])
        colors = choose_colors(len(self.l1_ratios))
        names = [f"{l1_ratio:.3g}" for l1_ratio in self.l1_ratios]
        is_alone, has_bar = len(names) == 1, are_many(len(names))
        marker = "o" if len(x) <= _MOST_MARKERS else ""
        self.lines_ = [
            ax.plot(
                x, line, color=color, marker=marker, markersize=4,
                label=None if is_alone or has_bar else f"l1_ratio = {name}",
            )[0]
            for line, color, name in zip(means, colors, names, strict=True)
        ]  # fmt: skip
        self.bands_ = []
        if self._deviations is not None and spread != "none":
            divisor = np.sqrt(len(self.scores)) if spread == "standard_error" else 1.0
            widths = np.ma.masked_invalid(self._deviations[:, order]) / divisor
            are_few = len(names) <= _MOST_BANDS
            for ratio in range(len(names)) if are_few else [self._best[0]]:
                low, high = means[ratio] - widths[ratio], means[ratio] + widths[ratio]
                color = colors[ratio]
                band = ax.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0.0)
                self.bands_.append(band)
            what = "1 standard error" if spread == "standard_error" else "1 standard deviation"
            self.bands_[-1].set_label(f"± {what}")
        self._mark(ax, positions)
        label_strengths(ax, self.Cs)
        n_folds = len(self.scores)
        of = f"mean of {n_folds} folds" if n_folds > 1 else "1 fold"
        ax.set_ylabel(f"{self.score_name} ({of})", parse_math=False)
        self.color_bar_ = add_color_bar(ax, colors, names, "l1_ratio") if has_bar else None
        self.legend_ = place_legend(ax, "above" if has_bar else "beside")
        return self

    def _mark(self, ax: "Axes", positions: FloatArray) -> None:
        """Lines at the best C, and at the one within a standard error."""
        best, other = self.best_C_, self.one_standard_error_C_
        label = f"best C = {format_strength(best)}"
        if best == other:
            label += ",\nalso by the\none-standard-error rule"
        at = positions[self._best[1]]
        self.best_line_ = ax.axvline(at, color="black", linestyle="--", linewidth=1.0, label=label)
        self.one_standard_error_line_ = None
        if other is not None and other != best:
            at = positions[np.flatnonzero(self.Cs == other)[0]]
            self.one_standard_error_line_ = ax.axvline(
                at, color="black", linestyle=":", linewidth=1.5,
                label=f"one-standard-error\nC = {format_strength(other)}",
            )  # fmt: skip


def _check_scores(scores: Any, shape: tuple[int, int]) -> FloatArray:
    """Numbers, of which some may not be finite; a warning says so."""
    try:
        array = np.asarray(scores, np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"scores is not allowed: it must hold real numbers; {error}") from error
    if array.ndim != 3 or array.shape[1:] != shape or not len(array):
        raise ValueError(
            f"scores has shape {array.shape}: it must be (n_folds, n_l1_ratios, n_cs), here "
            f"(n_folds, {shape[0]}, {shape[1]})"
        )
    are_wrong = ~np.isfinite(array)
    if are_wrong.all(axis=0).all():
        raise ValueError("scores has no finite number: there is nothing to draw")
    if are_wrong.any():
        warn_caller(
            f"{are_wrong.sum()} of {array.size} scores are not finite: means of those are left out",
            UserWarning,
        )
    return array
