"""A logarithmic axis of `C`, on which infinity has a place too."""

from typing import TYPE_CHECKING

import numpy as np

from .._typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TICKS = 9
# How far right of the largest finite value infinity is: of the axis; and at least, in decades.
_SHARE_TO_INFINITY, _DECADES_TO_INFINITY = 0.12, 0.5


def place_strengths(Cs: FloatArray) -> FloatArray:
    """Positions on a logarithmic axis; infinity is to the right of all others."""
    finite = np.log10(Cs[np.isfinite(Cs)])
    if len(finite) == len(Cs):
        return Cs
    at = 0.0
    if len(finite):
        at = finite.max() + max(_SHARE_TO_INFINITY * np.ptp(finite), _DECADES_TO_INFINITY)
    return np.where(np.isfinite(Cs), Cs, 10.0**at)


def label_strengths(ax: "Axes", Cs: FloatArray) -> None:
    """Make the x axis logarithmic, with ticks, one for infinity if that is among the values."""
    ax.set_xscale("log")
    ax.set_xlabel("C (inverse regularization strength)")
    is_finite = np.isfinite(Cs)
    if is_finite.all():
        return
    powers = np.empty(0, int)
    if is_finite.any():
        low, high = np.log10([Cs[is_finite].min(), Cs[is_finite].max()])
        powers = np.arange(int(np.ceil(low - 1e-9)), int(np.floor(high + 1e-9)) + 1)
        powers = powers[:: -(-len(powers) // _MOST_TICKS) or 1]
    at = place_strengths(Cs)[~is_finite][0]
    ax.set_xticks(
        [*(10.0 ** powers.astype(float)), at],
        labels=[*(f"$10^{{{power}}}$" for power in powers), "∞"],
    )
    ax.minorticks_off()


def format_strength(C: float) -> str:
    """A value of `C` in three digits."""
    return "∞" if np.isinf(C) else f"{C:.3g}"
