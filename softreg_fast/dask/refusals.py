"""What fits on a cluster can't do."""

from typing import Any

from ..estimators.parameters import Parameters
from ..solvers.registry import EXACT_NAMES

_WHY = "DaskSoftmaxClassifier"


def refuse_parameters(estimator: Any, parameters: Parameters) -> None:
    """Raise ValueError if a parameter is allowed for rows in memory alone."""
    if parameters.solver not in EXACT_NAMES:
        *names, last = [repr(name) for name in EXACT_NAMES]
        raise ValueError(
            f"solver={parameters.solver!r} is not allowed with {_WHY}: use "
            f"solver={', '.join(names)} or {last}, or give SoftmaxClassifier to "
            "dask_ml.wrappers.Incremental"
        )
    if parameters.early_stopping:
        raise ValueError(f"early_stopping=True is not allowed with {_WHY}: it must be False")
    if parameters.needs().has_groups:
        raise ValueError(
            f"penalty_groups={parameters.penalty_groups!r} is not allowed with {_WHY}: it must be "
            "None"
        )
    if estimator.categorical_features is not None:
        raise ValueError(
            f"categorical_features={estimator.categorical_features!r} is not allowed with {_WHY}: "
            "it must be None; encode categories as numbers of their own columns"
        )


def refuse_arguments(**given: Any) -> None:
    """Raise ValueError if arguments are given that must be None."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} is not allowed with {_WHY}: it must be None")
