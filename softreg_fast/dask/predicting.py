"""Predictions of partitions by a model in memory, made when they are asked for."""

import copy
from typing import Any

import numpy as np
from dask import delayed
from dask.array import Array
from sklearn.utils.validation import validate_data

from ..blocks.frames import is_frame
from .partitions import Partition, check_features, is_list
from .pieces import name_partition

_DOUBLE, _SINGLE = np.dtype(np.float64), np.dtype(np.float32)


def predict_lazily(model: Any, method: str, X: Any) -> Any:
    """What a method gives for each partition of X.

    Parameters
    ----------
    model : estimator
        A fitted one, whose method takes arrays and data frames.
    method : str
    X : dask.array.Array, dask.dataframe.DataFrame or list of Delayed

    Returns
    -------
    dask.array.Array, or a list of Delayed if X is one

    Raises
    ------
    TypeError, ValueError
        X is something else, or has other features than the model.
    """
    X, dtype = check_features(X)
    nothing = _none_of(model, method, dtype)
    if is_list(X):
        call, sent = delayed(_call, pure=False), delayed(model)
        return [call(part, sent, method, nothing) for part in X]
    # Of the checks of features, those of their number and names alone.
    shown = X if isinstance(X, Array) else X._meta
    validate_data(model, shown, reset=False, skip_check_array=True)
    if not isinstance(X, Array):
        return X.map_partitions(_call, model, method, nothing, meta=nothing)
    columns: dict[str, Any] = {"drop_axis": 1}
    if nothing.ndim == 2:
        columns = {"chunks": (X.chunks[0], nothing.shape[1:])}
    return X.map_blocks(
        _call, delayed(_without_names(model)), method, nothing, meta=nothing, **columns
    )


def _without_names(model: Any) -> Any:
    """A model that takes arrays without a warning."""
    bare = copy.copy(model)
    bare.__dict__.pop("feature_names_in_", None)
    return bare


def _none_of(model: Any, method: str, dtype: np.dtype | None) -> Any:
    """What a method gives for no rows."""
    row = np.zeros((1, model.n_features_in_), _SINGLE if dtype == _SINGLE else _DOUBLE)
    return getattr(_without_names(model), method)(row)[:0]


def _call(features: Any, model: Any, method: str, nothing: Any) -> Any:
    return getattr(model, method)(features) if features.shape[0] else nothing


def accuracies(model: Any, partitions: list[Partition]) -> list[Any]:
    """Delayed pairs of each partition: the weights of rows that are right, and of all."""
    sent = delayed(model)
    count = delayed(_count_right, pure=False)
    return [
        count(part.features, part.labels, part.weights, sent, number)
        for number, part in enumerate(partitions)
    ]


def _count_right(
    features: Any, labels: Any, weights: Any, model: Any, number: int
) -> tuple[float, float]:
    if not is_frame(features):
        model = _without_names(model)
    n_rows = features.shape[0]
    for name, values in (("labels", labels), ("weights", weights)):
        if values is not None and len(values) != n_rows:
            raise ValueError(
                f"{name_partition(number)} has {len(values)} {name} beside {n_rows} rows of "
                "features: it must have one for each row"
            )
    if not n_rows:
        return 0.0, 0.0
    is_right = np.asarray(labels).reshape(-1) == model.predict(features)
    if weights is None:
        return float(np.sum(is_right)), float(n_rows)
    weights = np.asarray(weights, np.float64).reshape(-1)
    return float(weights @ is_right), float(weights.sum())
