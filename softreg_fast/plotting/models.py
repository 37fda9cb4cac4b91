"""What pictures need to know of fitted models."""

from collections.abc import Sequence
from typing import Any

from sklearn.exceptions import NotFittedError


def last_step(estimator: Any) -> Any:
    """The last step of a pipeline, or the estimator itself."""
    from sklearn.pipeline import Pipeline

    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def attribute_of(model: Any, name: str, hint: str = "") -> Any:
    """An attribute of a fitted model.

    Parameters
    ----------
    model : estimator
    name : str
    hint : str, default=""
        Why a fitted model may have no such attribute, for errors.

    Raises
    ------
    TypeError
        This is no estimator.
    NotFittedError
        The model is not fitted.
    ValueError
        A fitted model has no such attribute.
    """
    kind = type(model).__name__
    if not hasattr(model, "fit"):
        raise TypeError(f"estimator={model!r} is not allowed: it must be a fitted estimator")
    if hasattr(model, name):
        return getattr(model, name)
    if not any(each.endswith("_") and not each.startswith("_") for each in vars(model)):
        raise NotFittedError(f"this {kind} is not fitted: call fit before it is drawn")
    raise ValueError(f"this {kind} has no attribute {name}, which is to be drawn{hint}")


def feature_names_of(estimator: Any, n_columns: int) -> list[str]:
    """Names of the columns of `coef_`: the model's, those that its pipeline gives, or numbers."""
    model = last_step(estimator)
    has_own = hasattr(model, "feature_names_in_") or hasattr(model, "categories_")
    names: Sequence[Any] | None = None
    if not has_own and model is not estimator and len(estimator.steps) > 1:
        try:
            names = estimator[:-1].get_feature_names_out()
        except (AttributeError, ValueError):  # a step has no names to give
            names = None
    if names is None and hasattr(model, "get_coefficient_names"):
        names = model.get_coefficient_names()
    if names is None:
        names = getattr(model, "feature_names_in_", None)
    if names is None or len(names) != n_columns:
        names = default_feature_names(n_columns)
    return [str(name) for name in names]


def default_feature_names(n_features: int) -> list[str]:
    """Names of features that have none, as scikit-learn gives them."""
    return [f"x{place}" for place in range(n_features)]


def name_of_class(name: str) -> str:
    """The name of a class, with the word before it where it may be taken for something else."""
    return f"class {name}" if len(name) == 1 or name.isdigit() else name


def names_of_rows(names: Sequence[str], n_rows: int) -> tuple[list[str], str | None]:
    """Of rows of coefficients: the classes, and what they are compared with, if there is one row.

    Parameters
    ----------
    names : sequence of str
        Of all classes.
    n_rows : int
        Of `coef_`.
    """
    if n_rows == 1 and len(names) == 2:
        return [names[1]], names[0]
    return list(names), None
