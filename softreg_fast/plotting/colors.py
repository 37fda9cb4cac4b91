"""Colours that colour-blind readers can tell apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .axes import color_bar_beside, extent, step_of_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar

# Okabe and Ito, Color universal design, 2008; without their yellow, which is too pale for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DIVERGING = "RdBu_r"
GREY = "0.6"
LINE_STYLES = ("-", "--", ":", "-.")
_SEQUENTIAL = "viridis"
_END_OF_SEQUENTIAL = 0.92  # what follows is too pale for lines
_SHARE_THAT_REMAINS = 0.75  # of the height of axes, when there is a legend above


def are_many(n_things: int) -> bool:
    """Whether there are too many to have a colour of the palette and an entry of a legend each."""
    return n_things > len(PALETTE)


def choose_colors(n_things: int) -> list[Any]:
    """A colour for each: of the palette, or of a sequential map if they are many."""
    if not are_many(n_things):
        return list(PALETTE[:n_things])
    import matplotlib as mpl

    return list(mpl.colormaps[_SEQUENTIAL](np.linspace(0.0, _END_OF_SEQUENTIAL, n_things)))


def add_color_bar(
    ax: "Axes", colors: Sequence[Any], names: Sequence[str], title: str
) -> "Colorbar":
    """A bar of colours with names, in place of a legend of many entries."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    n_things = len(colors)
    norm = BoundaryNorm((np.arange(n_things + 1) - 0.5).tolist(), n_things)
    mappable = ScalarMappable(norm, ListedColormap(list(colors)))
    bar = color_bar_beside(ax, mappable, title)
    step = step_of_rows(n_things, _SHARE_THAT_REMAINS * extent(ax)[1])
    bar.set_ticks(range(0, n_things, step), labels=list(names[::step]), parse_math=False)
    bar.ax.minorticks_off()
    bar.ax.invert_yaxis()
    return bar
