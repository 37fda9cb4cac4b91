"""The objective by iteration or epoch."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import FloatArray
from ..data.checks import check_choice, check_number
from .axes import choose_two_axes, place_legend, printable
from .checks import check_array, check_shape
from .colors import PALETTE
from .models import attribute_of, last_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

_MOST_MARKERS = 30
_OBJECTIVE, _LOSS = "objective (mean loss + penalty)", "mean loss"
_HELD_OUT = "loss of held-out samples"


class LossCurveDisplay:
    """The objective after each iteration or epoch of a fit.

    The loss of held-out samples and the accuracy are drawn too, where they are known. Use
    `from_estimator` to make one.

    Parameters
    ----------
    losses : array-like of shape (n_iterations,)
        Objective or loss after each iteration.
    validation_losses : array-like of shape (n_iterations,), default=None
        Mean loss of held-out samples.
    accuracies : array-like of shape (n_iterations,), default=None
        Accuracy on the training data.
    unit : {"iteration", "epoch"}, default="iteration"
        What the losses are after.
    loss_name : str, default="loss"
        What the losses are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the losses.
    accuracy_ax_ : matplotlib Axes or None
        Axes with the accuracies.
    figure_ : matplotlib Figure
        Figure of the axes.
    line_ : matplotlib Line2D
        Losses.
    validation_line_, best_marker_, accuracy_line_ : matplotlib Line2D or None
        Losses of held-out samples, the lowest of them, and accuracies.
    legend_ : matplotlib Legend or None

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast import SoftmaxClassifier
    >>> from softreg_fast.plotting import LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = None
    >>> for solver in ["newton", "lbfgs"]:
    ...     display = LossCurveDisplay.from_estimator(
    ...         SoftmaxClassifier(solver=solver).fit(X, y),
    ...         name=solver,
    ...         distance_to="best",
    ...         ax=display and display.ax_,
    ...     )
    """

    ax_: "Axes"
    accuracy_ax_: "Axes | None"
    figure_: "Figure | SubFigure"
    line_: "Line2D"
    validation_line_: "Line2D | None"
    best_marker_: "Line2D | None"
    accuracy_line_: "Line2D | None"
    legend_: "Legend | None"

    def __init__(
        self,
        losses: Any,
        *,
        validation_losses: Any = None,
        accuracies: Any = None,
        unit: str = "iteration",
        loss_name: str = "loss",
    ) -> None:
        self.losses = check_array("losses", losses, "n_iterations")
        self.validation_losses = self._beside("validation_losses", validation_losses)
        self.accuracies = self._beside("accuracies", accuracies)
        self.unit = check_choice("unit", unit, ("iteration", "epoch"))
        self.loss_name = loss_name

    def _beside(self, name: str, value: Any) -> FloatArray | None:
        """A number for each loss."""
        if value is None:
            return None
        array = check_array(name, value, "n_iterations")
        return check_shape(name, array, self.losses.shape, "losses")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        name: str | None = None,
        distance_to: str | float | None = None,
        ax: Any = None,
        accuracy_ax: Any = None,
    ) -> "LossCurveDisplay":
        """Draw the course of the fit of a model.

        Parameters
        ----------
        estimator : estimator or Pipeline
            Fitted `SoftmaxClassifier` or `SoftmaxRegressor`, or a pipeline that ends in one.
        name, distance_to, ax, accuracy_ax
            See `plot`.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If an argument is not allowed, or if the model has no curve, such as after
            `partial_fit`.
        """
        model = last_step(estimator)
        if hasattr(model, "losses_"):  # SoftmaxRegressor
            display = cls(
                model.losses_, accuracies=model.accuracies_, unit="epoch", loss_name=_LOSS
            )
        else:
            losses = attribute_of(model, "loss_curve_", ": fit sets it, partial_fit does not")
            validation_losses = getattr(model, "validation_curve_", None)
            has_epochs = validation_losses is not None or getattr(model, "solver", "") == "sgd"
            display = cls(
                losses,
                validation_losses=validation_losses,
                unit="epoch" if has_epochs else "iteration",
                loss_name=_OBJECTIVE,
            )
        return display.plot(ax, name=name, distance_to=distance_to, accuracy_ax=accuracy_ax)

    def plot(
        self,
        ax: Any = None,
        *,
        name: str | None = None,
        distance_to: str | float | None = None,
        accuracy_ax: Any = None,
    ) -> "LossCurveDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, such as those of another model. None makes a new figure, with axes of
            their own for accuracies.
        name : str, default=None
            Name of the model in the legend.
        distance_to : {"best", "last"} or float, default=None
            What is subtracted from the losses, which are drawn on a logarithmic scale then: the
            lowest of them, the last one, or a number, such as the optimum. Losses that are not
            above it are left out, and so are those of held-out samples.
        accuracy_ax : matplotlib Axes, default=None
            Axes to draw accuracies on. With `ax` alone they are not drawn.

        Returns
        -------
        self : LossCurveDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed.
        """
        losses = self._heights(distance_to)
        if accuracy_ax is not None and self.accuracies is None:
            raise ValueError("accuracy_ax is not allowed: there are no accuracies to draw")
        ax, accuracy_ax = choose_two_axes(
            ax, "accuracy_ax", accuracy_ax, (3, 2), is_wanted=self.accuracies is not None
        )
        self.ax_, self.accuracy_ax_, self.figure_ = ax, accuracy_ax, ax.figure
        self.validation_line_ = self.best_marker_ = self.accuracy_line_ = None
        for each in filter(None, (ax, accuracy_ax)):
            if not each.lines:
                each.set_prop_cycle(color=PALETTE)
        shown = None if name is None else printable(name)
        is_distance = distance_to is not None
        has_held_out = self.validation_losses is not None and not is_distance
        label = shown or (self.loss_name if has_held_out else None)
        self.line_ = self._draw(ax, losses, label=label)
        if has_held_out:
            self._draw_held_out(ax, shown)
        if accuracy_ax is not None:
            assert self.accuracies is not None
            self.accuracy_line_ = self._draw(
                accuracy_ax, self.accuracies, color=self.line_.get_color()
            )
            accuracy_ax.set(ylabel="accuracy", xlabel=self.unit)
        if is_distance:
            ax.set_yscale("log")
        ax.set_ylabel(self._describe(distance_to, has_held_out))
        if accuracy_ax is None or not ax.get_shared_x_axes().joined(ax, accuracy_ax):
            ax.set_xlabel(self.unit)
        self.legend_ = place_legend(ax, "inside")
        return self

    def _heights(self, distance_to: str | float | None) -> FloatArray:
        """Losses, or distances, of which those that are not positive are masked."""
        if distance_to is None:
            return self.losses
        if isinstance(distance_to, str):
            check_choice("distance_to", distance_to, ("best", "last"))
            base = float(self.losses.min() if distance_to == "best" else self.losses[-1])
        else:
            base = check_number("distance_to", distance_to, alternative="'best' or 'last'")
        distances = self.losses - base
        masked: FloatArray = np.ma.masked_less_equal(distances, 0.0)
        return masked

    def _describe(self, distance_to: str | float | None, has_held_out: bool) -> str:
        """The label of the y axis."""
        if distance_to is None:
            return "loss" if has_held_out else self.loss_name
        what = self.loss_name.partition(" (")[0]
        if isinstance(distance_to, str):
            return f"{what} minus its {'lowest' if distance_to == 'best' else 'last'} value"
        return f"{what} minus {distance_to:.6g}"

    def _draw(self, ax: "Axes", heights: FloatArray, **style: Any) -> "Line2D":
        """A line, with points where there are few."""
        from matplotlib.ticker import MaxNLocator

        numbers = np.arange(1, len(heights) + 1)
        marker = "o" if len(heights) <= _MOST_MARKERS else ""
        (line,) = ax.plot(numbers, heights, marker=marker, markersize=4, **style)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        return line

    def _draw_held_out(self, ax: "Axes", name: str | None) -> None:
        """The losses of held-out samples, and a mark at the lowest."""
        assert self.validation_losses is not None
        best = int(self.validation_losses.argmin())
        color = self.line_.get_color()
        label = f"{name}, held-out samples" if name else _HELD_OUT
        self.validation_line_ = self._draw(
            ax, self.validation_losses, color=color, linestyle="--", label=label
        )
        (self.best_marker_,) = ax.plot(
            [best + 1], [self.validation_losses[best]], "*", color=color, markersize=14,
            markeredgecolor="white", linestyle="", zorder=3,
            label=f"lowest, {self.unit} {best + 1}",
        )  # fmt: skip
