"""Axes to draw on, and legends and labels on them."""

from collections.abc import Sequence
from importlib import import_module
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from .._extras import missing_package

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.legend import Legend

_LONGEST_NAME, _LONGEST_LINE = 24, 32
INCHES_OF_A_CHARACTER = 0.085
_INCHES_OF_A_LINE = 0.19
_INCHES_OF_COLOR_BAR = 0.18
_INCHES_OF_MARGIN = 0.8  # left of axes, before the layout makes more


def require_matplotlib() -> None:
    """Raise ImportError, which names the extra, if matplotlib isn't installed."""
    try:
        import_module("matplotlib")
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise missing_package("softreg_fast.plotting", "matplotlib", "plot") from error


def check_axes(name: str, ax: Any) -> "Axes":
    """The axes, if these are matplotlib's.

    Raises
    ------
    TypeError
        They are not.
    """
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"{name}={ax!r} is not allowed: it must be matplotlib Axes, or None")
    return ax


def choose_axes(ax: Any, figsize: tuple[float, float] | None = None) -> "Axes":
    """The given axes, or those of a new figure."""
    require_matplotlib()
    if ax is not None:
        return check_axes("ax", ax)
    from matplotlib import pyplot

    _, new = pyplot.subplots(figsize=figsize, layout="constrained")
    return new


def choose_two_axes(
    ax: Any, name: str, second: Any, height_ratios: tuple[float, float], *, is_wanted: bool
) -> "tuple[Axes, Axes | None]":
    """The given axes, or those of a new figure, one above the other.

    Parameters
    ----------
    ax, second : Axes or None
        Those that are given.
    name : str
        Of the argument that the second ones were given by, for errors.
    height_ratios : tuple of float
        Of new axes.
    is_wanted : bool
        Whether a new figure has second ones.
    """
    require_matplotlib()
    if second is not None:
        check_axes(name, second)
        if ax is None:
            raise ValueError(f"{name} is not allowed without ax: both must be given, or neither")
    if ax is not None:
        return check_axes("ax", ax), second
    if not is_wanted:
        return choose_axes(None), None
    from matplotlib import pyplot

    figure, (first, below) = pyplot.subplots(
        2, 1, sharex=True, layout="constrained", height_ratios=height_ratios
    )
    figure.set_figheight(figure.get_figheight() * 1.25)
    return first, below


def printable(name: Any, longest: int = _LONGEST_NAME) -> str:
    """A name of users on one line, shortened in the middle: its ends tell it from others."""
    text = " ".join(str(name).split())
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[: longest - 1 - half]}…{text[len(text) - half :]}"
    # matplotlib leaves labels that begin with an underscore out of legends.
    return f" {text}" if text.startswith("_") else text


def wrapped(text: str, inches: float) -> str:
    """A text on as many lines as it needs to be no longer than so many inches."""
    return fill(text, max(_LONGEST_NAME, int(inches / INCHES_OF_A_CHARACTER)))


def place_legend(ax: "Axes", place: str = "beside") -> "Legend | None":
    """A legend of all labelled artists.

    Parameters
    ----------
    ax : Axes
    place : {"beside", "above", "inside"}, default="beside"
        Where it is. It is inside where no layout engine makes room for it elsewhere.
    """
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return None
    if place == "inside" or ax.figure.get_layout_engine() is None:
        legend = ax.legend(handles, labels, loc="best")
    elif place == "beside":
        legend = ax.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0
        )
    else:
        labels = [
            label if len(label) > _LONGEST_LINE else label.replace("\n", " ") for label in labels
        ]
        legend = ax.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0.0, 1.01),
            borderaxespad=0.0,
        )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a dollar in a name of users is a dollar
    return legend


def extent(ax: "Axes") -> tuple[float, float]:
    """Width and height, in inches, before the layout makes room for labels."""
    return ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi


def width_beside_names(ax: "Axes", names: Sequence[str]) -> float:
    """Width, in inches, that names on the left leave."""
    inches = max(map(len, names)) * INCHES_OF_A_CHARACTER
    return extent(ax)[0] - max(0.0, inches - _INCHES_OF_MARGIN)


def color_bar_beside(ax: "Axes", mappable: "ScalarMappable", title: str) -> "Colorbar":
    """A bar of colours that is as wide beside high axes as beside low ones."""
    _, height = extent(ax)
    aspect = max(8.0, height / _INCHES_OF_COLOR_BAR)
    bar = ax.figure.colorbar(mappable, ax=ax, aspect=aspect)
    bar.set_label(wrapped(title, height), parse_math=False)
    return bar


def label_rows(ax: "Axes", names: Sequence[str]) -> None:
    """Names from the top downwards, as many as have room."""
    _, height = extent(ax)
    step = step_of_rows(len(names), height)
    ax.set_yticks(range(0, len(names), step), labels=list(names[::step]), parse_math=False)


def step_of_rows(n_names: int, height: float) -> int:
    """Of names one below the other, every which has room in so many inches."""
    return max(1, int(np.ceil(n_names * 0.8 * _INCHES_OF_A_LINE / height)))


def label_columns(ax: "Axes", names: Sequence[str], width: float | None = None) -> None:
    """Names from left to right, turned where they are long, as many as have room.

    Parameters
    ----------
    ax : Axes
    names : sequence of str
    width : float, default=None
        Of all columns, in inches. None means most of the axes' width.
    """
    width = 0.85 * extent(ax)[0] if width is None else width
    if not are_turned(names, width):
        ax.set_xticks(range(len(names)), labels=list(names), parse_math=False)
        return
    step = max(1, int(np.ceil(len(names) * _INCHES_OF_A_LINE / width)))
    ax.set_xticks(
        range(0, len(names), step), labels=list(names[::step]), parse_math=False, rotation=90
    )


def are_turned(names: Sequence[str], width: float) -> bool:
    """Whether names side by side need more inches."""
    longest = max(map(len, names)) * INCHES_OF_A_CHARACTER + 0.06
    return longest * len(names) > width
