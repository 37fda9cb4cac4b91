"""The mathematics in plain NumPy: slow, obvious, and the oracle of every test."""

from .columns import descend_columns, take_slopes
from .conjugate_gradients import solve_newton_equation
from .descent import epoch, proximal_descent, sparse_descent
from .dual_ascent import ascend_dual
from .model import accumulate, batch, logit_gradients, predict
from .newton import (
    complete_derivatives,
    descend_coordinates,
    minimise_by_newton,
    sum_features,
    weigh_squares,
)
from .order import shuffled_rows
from .tables import put_side_by_side

__all__ = [
    "accumulate",
    "ascend_dual",
    "batch",
    "complete_derivatives",
    "descend_columns",
    "descend_coordinates",
    "epoch",
    "logit_gradients",
    "minimise_by_newton",
    "predict",
    "proximal_descent",
    "put_side_by_side",
    "shuffled_rows",
    "solve_newton_equation",
    "sparse_descent",
    "sum_features",
    "take_slopes",
    "weigh_squares",
]
