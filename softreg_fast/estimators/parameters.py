"""Parameters of the classifier, checked and turned into settings of a solver."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from ..data.checks import check_choice, check_flag, check_integer, check_number, check_random_state
from ..data.problem import Penalty, make_penalty
from ..objective.loss import ACTIVATIONS, CONVEX_ACTIVATIONS, LOSSES
from ..objective.optimality import Tolerance
from ..runtime.threads import check_n_threads
from ..solvers.base import ExactSettings
from ..solvers.newton.solver import has_room, relative_cost
from ..solvers.sgd.iteration import FeatureScaling, Method, ProximalSettings, Schedule

ExactSolver = Literal["newton", "lbfgs"]
Solver = ExactSolver | Literal["sgd"]

_SOLVERS = ("auto", "newton", "lbfgs", "sgd")
EXACT_SOLVERS = ("newton", "lbfgs")
_SCHEDULES = ("auto", "invscaling")
_SCALINGS = ("auto", "none", "standard", "whiten")
_EPOCHS, _ITERATIONS = 100, 1_000
# Of "newton": where second derivatives take as many products as so many passes over the rows,
# "lbfgs" is as fast as a rule. Measured by bench/choices.py.
_MOST_PASSES_OF_DERIVATIVES = 150
# Products in a pass from which an exact solver takes minutes.
_MOST_PRODUCTS = {"newton": 100_000_000_000, "lbfgs": 10_000_000_000}
_MOST_ROWS_OF_A_FULL_BATCH = 1_000
_BATCHES_PER_EPOCH = 128
_SMALLEST_BATCH, _LARGEST_BATCH, _LARGEST_SPARSE_BATCH = 16, 1_024, 64
_MOST_FEATURES_ROTATED = 256
_MOMENTUM = 0.95


@dataclass(frozen=True)
class Parameters:
    """Allowed values of the classifier's parameters, under their names.

    What depends on the data, such as ``batch_size="auto"``, is None until it is known.
    """

    C: float
    l1_ratio: float
    activation: str
    solver: Solver | None
    fit_intercept: bool
    tol: float
    gap_tol: float | None
    max_iter: int | None
    schedule: Schedule
    learning_rate: float | None
    batch_size: int | None
    momentum: float | None
    averaging: bool
    feature_scaling: FeatureScaling | None
    shuffle: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    n_samples_total: int | None
    verbose: int

    @property
    def penalty(self) -> Penalty:
        """That of a problem."""
        return make_penalty(self.C, self.l1_ratio)

    @property
    def tolerance(self) -> Tolerance:
        """When an exact solver's model is optimal."""
        return Tolerance(self.tol, self.gap_tol)

    def choose_solver(
        self, n_products: int, n_features: int, n_columns: int, *, holds_out: bool
    ) -> Solver:
        """The solver.

        Parameters
        ----------
        n_products : int
            Multiplications of a pass over the rows.
        n_features, n_columns : int
            Of the model.
        holds_out : bool
            Whether rows are held out.
        """
        if self.solver == "sgd":
            return "sgd"
        exact = self.choose_exact_solver(n_products // n_columns, n_features, n_columns)
        if self.solver is not None:
            return exact
        needs_descent = holds_out or (exact == "lbfgs" and self.l1_ratio > 0.0)
        if self.gap_tol is not None:
            if needs_descent:
                what = "held-out rows" if holds_out else f"an L1 penalty and {n_features} features"
                raise ValueError(
                    f"gap_tol={self.gap_tol!r} is not allowed with {what}, for which the solver is "
                    "'sgd', which can't stop by it: it must be None"
                )
            return exact
        return "sgd" if needs_descent or n_products > _MOST_PRODUCTS[exact] else exact

    def choose_exact_solver(self, n_elements: int, n_features: int, n_columns: int) -> ExactSolver:
        """The solver, if it is to be an exact one.

        Parameters
        ----------
        n_elements : int
            Of the features of all rows.
        n_features, n_columns : int
            Of the model.
        """
        newton_fits = has_room(n_features, n_columns)
        if self.solver == "newton" and not newton_fits:
            raise ValueError(
                f"solver='newton' is not allowed with {n_features} features and {n_columns} "
                "columns of coefficients, whose second derivatives would take more than 256 MiB: "
                "it must be 'lbfgs', 'sgd' or 'auto'"
            )
        if self.solver in ("newton", "lbfgs"):
            return self.solver
        if not newton_fits or not LOSSES[self.activation].is_convex:
            return "lbfgs"
        cost = relative_cost(max(1, n_elements // n_features), n_features)
        return "newton" if self.l1_ratio > 0.0 or cost <= _MOST_PASSES_OF_DERIVATIVES else "lbfgs"

    def count_iterations(self, solver: Solver) -> int:
        """How many iterations there are at most."""
        return self.max_iter or (_EPOCHS if solver == "sgd" else _ITERATIONS)

    def exact_settings(self, solver: Solver) -> ExactSettings:
        """Settings of an exact solver."""
        return ExactSettings(
            tolerance=self.tolerance,
            max_iterations=self.count_iterations(solver),
            fit_intercept=self.fit_intercept,
        )

    def descent_settings(
        self, n_samples: int, n_features: int, seed: int, *, stops: bool, is_sparse: bool
    ) -> ProximalSettings:
        """Settings of gradient descent over rows that are all there.

        Parameters
        ----------
        n_samples, n_features : int
        seed : int
            Of the shuffled order.
        stops : bool
            Whether to stop where the objective doesn't fall any more.
        is_sparse : bool
            Whether the features are.
        """
        batch_size = self.batch_size
        if batch_size is None:
            batch_size = choose_batch_size(n_samples, is_sparse=is_sparse)
        batch_size = min(batch_size, n_samples)
        is_full = batch_size == n_samples
        momentum, method = self._method()
        feature_scaling = self.feature_scaling
        if feature_scaling is None:
            may_rotate = n_features <= _MOST_FEATURES_ROTATED and self.l1_ratio == 0.0
            feature_scaling = "standard"
            if may_rotate and not is_sparse and is_full:
                feature_scaling = "whiten"
            elif may_rotate and not is_sparse and self.schedule == "auto":
                feature_scaling = "adapt"
        elif feature_scaling == "whiten" and is_sparse:
            raise ValueError(
                "feature_scaling='whiten' is not allowed with sparse X: it must be 'auto', "
                "'standard' or 'none'"
            )
        if is_full and self.momentum is None and self.averaging and self.schedule == "auto":
            method = "accelerated"
        return ProximalSettings(
            schedule=self.schedule,
            learning_rate=self.learning_rate,
            batch_size=batch_size,
            n_epochs=self.count_iterations("sgd"),
            patience=self.n_iter_no_change if stops else 0,
            tolerance=self.tol,
            method=method,
            momentum=momentum,
            feature_scaling=feature_scaling,
            fit_intercept=self.fit_intercept,
            shuffle_seed=seed if self.shuffle and not is_full else None,
        )

    def block_settings(self, n_samples: int, *, is_sparse: bool) -> ProximalSettings:
        """Settings of gradient descent over a block of a stream, in the order of its rows."""
        # Each row is met once: less lag is worth more than less noise.
        momentum, method = self._method(momentum=0.0)
        feature_scaling = self.feature_scaling or "standard"
        if feature_scaling == "whiten":
            raise ValueError(
                "feature_scaling='whiten' is not allowed with partial_fit: it must be 'auto', "
                "'standard' or 'none'"
            )
        batch_size = choose_batch_size(n_samples, is_sparse=is_sparse, full=False)
        return ProximalSettings(
            schedule=self.schedule,
            learning_rate=self.learning_rate,
            batch_size=min(self.batch_size or batch_size, n_samples),
            n_epochs=1,
            patience=0,
            tolerance=0.0,
            method=method,
            momentum=momentum,
            feature_scaling=feature_scaling,
            fit_intercept=self.fit_intercept,
        )

    def _method(self, momentum: float = _MOMENTUM) -> tuple[float, Method]:
        """Momentum, if it is chosen, and method."""
        if self.averaging:
            return (momentum if self.momentum is None else self.momentum), "averaged"
        return self.momentum or 0.0, "plain"


def choose_batch_size(n_samples: int, *, is_sparse: bool, full: bool = True) -> int:
    """Rows in a batch: all of few, if that is wanted; else a power of two."""
    if full and n_samples <= _MOST_ROWS_OF_A_FULL_BATCH:
        return n_samples
    power = round(np.log2(max(n_samples / _BATCHES_PER_EPOCH, 1.0)))
    largest = _LARGEST_SPARSE_BATCH if is_sparse else _LARGEST_BATCH
    return int(np.clip(2**power, _SMALLEST_BATCH, largest))


def _none_if_auto(value: Any) -> Any:
    return None if isinstance(value, str) and value == "auto" else value


def check_parameters(given: Mapping[str, Any]) -> Parameters:
    """The classifier's parameters, if they are allowed.

    Parameters
    ----------
    given : mapping
        As `SoftmaxClassifier.get_params` gives them.

    Raises
    ------
    TypeError, ValueError
        One is not allowed; the message names it.
    """
    activation = check_choice("activation", given["activation"], ACTIVATIONS)
    check_flag("warm_start", given["warm_start"])
    check_n_threads("n_threads", given["n_threads"])
    if given["random_state"] is not np.random:  # which scikit-learn takes for None
        check_random_state("random_state", given["random_state"])
    l1_ratio = check_number("l1_ratio", given["l1_ratio"], minimum=0.0, maximum=1.0)
    solver = _none_if_auto(check_choice("solver", given["solver"], _SOLVERS))
    feature_scaling = check_choice("feature_scaling", given["feature_scaling"], _SCALINGS)
    if l1_ratio > 0.0:
        if solver == "lbfgs":
            raise ValueError(
                f"l1_ratio={l1_ratio!r} is not allowed with solver='lbfgs': it must be 0, or the "
                "solver 'newton', 'sgd' or 'auto'"
            )
        if feature_scaling == "whiten":
            raise ValueError(
                f"feature_scaling='whiten' is not allowed with l1_ratio={l1_ratio!r}: it must be "
                "'auto', 'standard' or 'none', or l1_ratio must be 0"
            )
    if not LOSSES[activation].is_convex and solver == "newton":
        raise ValueError(
            f"activation={activation!r} is not allowed with solver='newton', for its objective "
            f"isn't convex: it must be {' or '.join(map(repr, CONVEX_ACTIVATIONS))}, or the solver "
            "'lbfgs', 'sgd' or 'auto'"
        )
    early_stopping = check_flag("early_stopping", given["early_stopping"])
    if early_stopping and solver in EXACT_SOLVERS:
        raise ValueError(
            f"early_stopping=True is not allowed with solver={solver!r}: it must be False, or the "
            "solver 'sgd' or 'auto'"
        )
    C = check_number("C", given["C"], above=0.0, allow_infinity=True)
    gap_tol = given["gap_tol"]
    if gap_tol is not None:
        gap_tol = check_number("gap_tol", gap_tol, above=0.0, alternative="None")
        _refuse_gap_tol(gap_tol, solver, activation, C, early_stopping)
    schedule, learning_rate = _check_learning_rate(given["learning_rate"])
    return Parameters(
        C=C,
        l1_ratio=l1_ratio,
        activation=activation,
        solver=solver,
        fit_intercept=check_flag("fit_intercept", given["fit_intercept"]),
        tol=check_number("tol", given["tol"], minimum=0.0),
        gap_tol=gap_tol,
        max_iter=_check_count("max_iter", given["max_iter"]),
        schedule=schedule,
        learning_rate=learning_rate,
        batch_size=_check_count("batch_size", _none_if_auto(given["batch_size"])),
        momentum=_check_momentum(given["momentum"]),
        averaging=check_flag("averaging", given["averaging"]),
        feature_scaling=_none_if_auto(feature_scaling),
        shuffle=check_flag("shuffle", given["shuffle"]),
        early_stopping=early_stopping,
        validation_fraction=check_number(
            "validation_fraction", given["validation_fraction"], above=0.0, below=1.0
        ),
        n_iter_no_change=check_integer("n_iter_no_change", given["n_iter_no_change"], minimum=1),
        n_samples_total=_check_count("n_samples_total", given["n_samples_total"]),
        verbose=_check_verbose(given["verbose"]),
    )


def _refuse_gap_tol(
    gap_tol: float,
    solver: Solver | None,
    activation: str,
    C: float,
    early_stopping: bool,
) -> None:
    """Raise ValueError if there is no bound of the gap, or nobody to keep it."""
    reason = None
    if solver == "sgd" or early_stopping:
        reason = "the solver 'sgd', which can't stop by it"
    elif not LOSSES[activation].is_convex:
        reason = f"activation={activation!r}, whose objective isn't convex"
    elif np.isinf(C):
        reason = "C=inf, without a penalty"
    if reason is not None:
        raise ValueError(f"gap_tol={gap_tol!r} is not allowed with {reason}: it must be None")


def _check_count(name: str, value: Any) -> int | None:
    return None if value is None else check_integer(name, value, minimum=1)


def _check_verbose(value: Any) -> int:
    return int(value) if isinstance(value, bool) else check_integer("verbose", value, minimum=0)


def _check_momentum(value: Any) -> float | None:
    value = _none_if_auto(value)
    if value is None:
        return None
    return check_number("momentum", value, minimum=0.0, below=1.0, alternative="'auto'")


def _check_learning_rate(value: Any) -> tuple[Schedule, float | None]:
    if isinstance(value, str) and value in _SCHEDULES:
        return cast(Schedule, value), None
    return "constant", check_number(
        "learning_rate", value, above=0.0, alternative="'auto' or 'invscaling'"
    )
