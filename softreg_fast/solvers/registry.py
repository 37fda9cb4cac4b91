"""The solvers there are, and which of them suits a problem.

A new solver is one line in `SOLVERS`.
"""

from dataclasses import dataclass
from typing import Any

from ..objective.loss import CONVEX_ACTIVATIONS, LOSSES
from ..runtime import tuning
from . import lbfgs
from .base import Size, Solver
from .newton import solver as newton
from .sgd import solver as sgd

# In the order in which "auto" looks at them.
SOLVERS: dict[str, Solver] = {
    solver.name: solver for solver in (newton.SOLVER, lbfgs.SOLVER, sgd.SOLVER)
}
AUTO = "auto"
NAMES = (AUTO, *SOLVERS)
EXACT_NAMES = (AUTO, *(name for name, solver in SOLVERS.items() if solver.is_exact))


def _quote(names: Any) -> str:
    """'a', 'b' or 'c'."""
    *first, last = [repr(name) for name in names]
    return f"{', '.join(first)} or {last}" if first else last


@dataclass(frozen=True)
class Needs:
    """What a fit asks of its solver.

    Attributes
    ----------
    activation : str
    l1_ratio : float
    gap_tol : float or None
        As users have given it.
    holds_out : bool
        Whether rows are held out.
    are_grouped : bool
        Whether an L1 penalty is of features' norms.
    are_blocked : bool
        Whether rows are read in blocks.
    """

    activation: str
    l1_ratio: float = 0.0
    gap_tol: float | None = None
    holds_out: bool = False
    are_grouped: bool = False
    are_blocked: bool = False

    @property
    def has_groups(self) -> bool:
        """Whether features' norms are penalised."""
        return self.are_grouped and self.l1_ratio > 0.0

    def are_met_by(self, solver: Solver) -> bool:
        """Whether a solver can do it."""
        return (
            (solver.supports_l1 or self.l1_ratio == 0.0)
            and (solver.supports_groups or not self.has_groups)
            and (LOSSES[self.activation].is_convex or not solver.needs_convexity)
            and (solver.supports_held_out or not self.holds_out)
            and (solver.is_exact or self.gap_tol is None)
            and (solver.supports_blocks or not self.are_blocked)
        )


def _names_of(attribute: str, value: bool = True, *, exact: bool = False) -> str:
    """Names of the solvers, or the exact ones, that have a property, "auto" last."""
    names = [
        name
        for name, solver in SOLVERS.items()
        if getattr(solver, attribute) == value and (solver.is_exact or not exact)
    ]
    return _quote([*names, AUTO])


def check_needs(name: str, needs: Needs, *, exact: bool = False) -> None:
    """Raise ValueError if the solver that users have named can't do what they ask of it.

    The message names the argument, and the solvers that can; only exact ones if it must be one.
    """
    if name == AUTO:
        return
    solver = SOLVERS[name]
    if needs.l1_ratio > 0.0 and not solver.supports_l1:
        raise ValueError(
            f"l1_ratio={needs.l1_ratio!r} is not allowed with solver={name!r}: set l1_ratio=0 or "
            f"use solver={_names_of('supports_l1', exact=exact)}"
        )
    if needs.has_groups and not solver.supports_groups:
        raise ValueError(
            f"penalty_groups='features' is not allowed with solver={name!r}: set "
            f"penalty_groups=None or use solver={_names_of('supports_groups', exact=exact)}"
        )
    if solver.needs_convexity and not LOSSES[needs.activation].is_convex:
        raise ValueError(
            f"activation={needs.activation!r} is not allowed with solver={name!r}, because its "
            f"objective is not convex: set activation={_quote(CONVEX_ACTIVATIONS)} or use "
            f"solver={_names_of('needs_convexity', False, exact=exact)}"
        )
    if needs.holds_out and not solver.supports_held_out:
        raise ValueError(
            f"early_stopping=True is not allowed with solver={name!r}: set early_stopping=False or "
            f"use solver={_names_of('supports_held_out')}"
        )


def check_blocks(name: str, needs: Needs) -> None:
    """Raise ValueError if rows that are read in blocks can't be fitted as users ask."""
    if needs.has_groups:
        raise ValueError(
            "penalty_groups='features' is not allowed with rows in blocks: it must be None"
        )
    if name != AUTO and not SOLVERS[name].supports_blocks:
        raise ValueError(
            f"solver={name!r} is not allowed with rows in blocks: use "
            f"solver={_names_of('supports_blocks')}"
        )


def check_held_out(name: str, solver: Solver) -> None:
    """Raise ValueError if a solver can't stop by held-out rows."""
    if not solver.supports_held_out:
        raise ValueError(f"X_val requires solver={_names_of('supports_held_out')}, got {name!r}")


def check_streams(name: str) -> None:
    """Raise AttributeError if the solver that users have named can't learn from blocks of rows."""
    if name in SOLVERS and not SOLVERS[name].supports_streams:
        raise AttributeError(
            f"partial_fit requires solver={_names_of('supports_streams')}, got {name!r}"
        )


def choose(name: str, needs: Needs, size: Size, *, exact: bool = False) -> Solver:
    """The solver of a fit.

    Parameters
    ----------
    name : str
        What users have named; one of `NAMES`.
    needs : Needs
    size : Size
    exact : bool, default=False
        Whether it must be an exact one.

    Raises
    ------
    ValueError
        The solver that users have named has no room, or none can do it all.

    Notes
    -----
    "auto" takes the first that applies:

    1. With held-out rows, a solver that can stop by them.
    2. The first exact solver that can do it, has room, and costs no more than 150 passes over the
       rows beside its passes; with an L1 penalty, whatever it costs.
    3. If there is none, or a pass takes more products than its limit, gradient descent; but not
       with `gap_tol`.
    """
    able = [
        solver
        for solver in SOLVERS.values()
        if needs.are_met_by(solver)
        and solver.has_room(size, needs.l1_ratio)
        and (solver.is_exact or not exact)
    ]
    if name != AUTO:
        return _check_room(SOLVERS[name], needs, size, able)
    suited = [
        solver
        for solver in able
        if solver.is_exact
        and (needs.l1_ratio > 0.0 or solver.relative_cost(size) <= tuning.MOST_PASSES_BESIDE)
    ]
    if exact:
        return suited[0] if suited else _least_demanding(needs)
    if suited and (needs.gap_tol is not None or size.n_products <= suited[0].most_products(size)):
        return suited[0]
    if able:
        return able[-1]
    if needs.has_groups:
        reason = "held-out samples" if needs.holds_out else f"activation={needs.activation!r}"
        raise ValueError(
            f"penalty_groups='features' is not allowed with {reason}, which solver="
            f"{_names_of('supports_groups')} does not support: it must be None"
        )
    raise ValueError(
        f"gap_tol={needs.gap_tol!r} is not allowed with held-out samples: they require solver="
        f"{_last_resort()!r}, which does not support gap_tol; it must be None"
    )


def _check_room(solver: Solver, needs: Needs, size: Size, able: list[Solver]) -> Solver:
    if solver.has_room(size, needs.l1_ratio):
        return solver
    remedy = "use fewer features"
    if able:
        remedy = f"use solver={_quote([*(other.name for other in able), AUTO])}"
    raise ValueError(
        f"solver={solver.name!r} is not allowed with {size.n_features} features and "
        f"{size.n_columns} columns of coefficients, whose second derivatives would take more than "
        f"256 MiB: {remedy}"
    )


def _least_demanding(needs: Needs) -> Solver:
    """The exact solver that needs the least room, whatever it can't do."""
    return [solver for solver in SOLVERS.values() if solver.is_exact][-1]


def _last_resort() -> str:
    return next(name for name, solver in SOLVERS.items() if not solver.is_exact)
