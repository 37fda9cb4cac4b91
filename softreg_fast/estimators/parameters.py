"""Parameters of the classifier, checked and turned into options of a solver."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ..data.checks import check_choice, check_flag, check_integer, check_number, check_random_state
from ..data.problem import Penalty, Problem, make_penalty
from ..objective.loss import ACTIVATIONS, LOSSES
from ..objective.optimality import Tolerance
from ..runtime.threads import check_n_threads
from ..solvers.base import Solver, SolverOptions
from ..solvers.registry import AUTO, NAMES, SOLVERS, Needs, check_needs
from ..solvers.sgd.options import Schedule, SgdOptions

_SCHEDULES = ("auto", "invscaling")
_SCALINGS = ("auto", "none", "standard", "whiten")

_GROUPS = "features"


@dataclass(frozen=True)
class Parameters:
    """Allowed values of the classifier's parameters, under their names.

    What depends on the data, such as ``max_iter=None``, is None until it is known. Those of
    gradient descent are in `sgd`.
    """

    C: float
    l1_ratio: float
    penalty_groups: str | None
    activation: str
    solver: str
    fit_intercept: bool
    tol: float
    gap_tol: float | None
    max_iter: int | None
    early_stopping: bool
    validation_fraction: float
    n_samples_total: int | None
    n_threads: int | None
    verbose: int
    sgd: SgdOptions

    @property
    def penalty(self) -> Penalty:
        """That of a problem."""
        return make_penalty(self.C, self.l1_ratio, is_grouped=self.penalty_groups is not None)

    def needs(self, *, holds_out: bool = False, are_blocked: bool = False) -> Needs:
        """What is asked of the solver."""
        return Needs(
            self.activation,
            self.l1_ratio,
            self.gap_tol,
            holds_out,
            are_grouped=self.penalty_groups is not None,
            are_blocked=are_blocked,
        )

    def count_iterations(self, solver: Solver) -> int:
        """How many iterations there are at most."""
        return self.max_iter or solver.default_max_iterations

    def options(
        self, solver: Solver, *, seed: int = 0, held_out: Problem | None = None
    ) -> SolverOptions:
        """Options of a solver.

        Parameters
        ----------
        solver : Solver
        seed : int, default=0
            Of the order of the rows.
        held_out : Problem or None, default=None
            Of rows by whose loss it stops.
        """
        return SolverOptions(
            tolerance=Tolerance(self.tol, self.gap_tol),
            max_iterations=self.count_iterations(solver),
            fit_intercept=self.fit_intercept,
            n_threads=self.n_threads,
            sgd=replace(self.sgd, seed=seed, held_out=held_out),
        )


def _check_groups(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and value == _GROUPS):
        raise ValueError(f"penalty_groups={value!r} is not allowed: it must be None or {_GROUPS!r}")
    return value


def _none_if_auto(value: Any) -> Any:
    return None if isinstance(value, str) and value == AUTO else value


def check_parameters(given: Mapping[str, Any], *, exact: bool = False) -> Parameters:
    """The classifier's parameters, if they are allowed.

    Parameters
    ----------
    given : mapping
        As `SoftmaxClassifier.get_params` gives them.
    exact : bool, default=False
        Whether the solver must be an exact one.

    Raises
    ------
    TypeError, ValueError
        One is not allowed; the message names it.
    """
    activation = check_choice("activation", given["activation"], ACTIVATIONS)
    check_flag("warm_start", given["warm_start"])
    n_threads = check_n_threads("n_threads", given["n_threads"])
    if given["random_state"] is not np.random:  # which scikit-learn takes for None
        check_random_state("random_state", given["random_state"])
    l1_ratio = check_number("l1_ratio", given["l1_ratio"], minimum=0.0, maximum=1.0)
    solver = check_choice("solver", given["solver"], NAMES)
    sgd = _check_sgd(given, l1_ratio)
    early_stopping = check_flag("early_stopping", given["early_stopping"])
    penalty_groups = _check_groups(given["penalty_groups"])
    needs = Needs(
        activation,
        l1_ratio,
        holds_out=early_stopping,
        are_grouped=penalty_groups is not None,
    )
    check_needs(solver, needs, exact=exact)
    C = check_number("C", given["C"], above=0.0, allow_infinity=True)
    gap_tol = given["gap_tol"]
    if gap_tol is not None:
        gap_tol = check_number("gap_tol", gap_tol, above=0.0, alternative="None")
        _check_gap_tol(gap_tol, solver, needs, C)
    return Parameters(
        C=C,
        l1_ratio=l1_ratio,
        penalty_groups=penalty_groups,
        activation=activation,
        solver=solver,
        fit_intercept=check_flag("fit_intercept", given["fit_intercept"]),
        tol=check_number("tol", given["tol"], minimum=0.0),
        gap_tol=gap_tol,
        max_iter=_check_count("max_iter", given["max_iter"]),
        early_stopping=early_stopping,
        validation_fraction=check_number(
            "validation_fraction", given["validation_fraction"], above=0.0, below=1.0
        ),
        n_samples_total=_check_count("n_samples_total", given["n_samples_total"]),
        n_threads=n_threads,
        verbose=_check_verbose(given["verbose"]),
        sgd=sgd,
    )


def _check_sgd(given: Mapping[str, Any], l1_ratio: float) -> SgdOptions:
    """Those of gradient descent."""
    feature_scaling = check_choice("feature_scaling", given["feature_scaling"], _SCALINGS)
    if l1_ratio > 0.0 and feature_scaling == "whiten":
        raise ValueError(
            f"feature_scaling='whiten' is not allowed with l1_ratio={l1_ratio!r}: it must be "
            "'auto', 'standard' or 'none', or l1_ratio must be 0"
        )
    schedule, learning_rate = _check_learning_rate(given["learning_rate"])
    return SgdOptions(
        schedule=schedule,
        learning_rate=learning_rate,
        batch_size=_check_count("batch_size", _none_if_auto(given["batch_size"]), "'auto'"),
        momentum=_check_momentum(given["momentum"]),
        averaging=check_flag("averaging", given["averaging"]),
        feature_scaling=_none_if_auto(feature_scaling),
        shuffle=check_flag("shuffle", given["shuffle"]),
        n_iter_no_change=check_integer("n_iter_no_change", given["n_iter_no_change"], minimum=1),
    )


def _check_gap_tol(gap_tol: float, solver: str, needs: Needs, C: float) -> None:
    """Raise ValueError if there is no bound of the gap, or no solver that stops by it."""
    able = [other for other in SOLVERS.values() if solver in (AUTO, other.name)]
    able = [other for other in able if other.supports_held_out or not needs.holds_out]
    reason = None
    if not any(other.is_exact for other in able):
        reason = f"solver={able[0].name!r}, which does not support it"
    elif not LOSSES[needs.activation].is_convex:
        reason = f"activation={needs.activation!r}, whose objective is not convex"
    elif np.isinf(C):
        reason = "C=inf, which means no penalty"
    if reason is not None:
        raise ValueError(f"gap_tol={gap_tol!r} is not allowed with {reason}: it must be None")


def _check_count(name: str, value: Any, alternative: str = "None") -> int | None:
    if value is None:
        return None
    return check_integer(name, value, minimum=1, alternative=alternative)


def _check_verbose(value: Any) -> int:
    if isinstance(value, bool | np.bool_):
        return int(value)
    return check_integer("verbose", value, minimum=0)


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
