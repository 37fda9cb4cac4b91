"""Labels and weights of rows as the problem takes them."""

from numbers import Real
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .arrays import MAX_CLASSES

# Integers, booleans and strings are labels; of others scikit-learn has to find out, which takes
# longer than all other checks.
_KINDS_OF_LABELS = "iubUS"


def check_labels(y: npt.NDArray[Any]) -> None:
    """Raise ValueError if these are no labels of classes, but continuous numbers."""
    if y.dtype.kind not in _KINDS_OF_LABELS:
        check_classification_targets(y)


def check_classes(classes: Any) -> npt.NDArray[Any]:
    """Labels of at least two classes, in order, each once.

    Raises
    ------
    ValueError
        Fewer than two or more than can be.
    """
    dtype = np.asarray(classes).dtype
    if dtype.kind == "c":
        raise ValueError(f"classes has dtype {dtype}: labels must not be complex")
    classes = np.unique(column_or_1d(classes))
    check_labels(classes)
    _check_number_of_classes("classes", len(classes))
    return cast("npt.NDArray[Any]", classes)


def _check_number_of_classes(name: str, n_classes: int) -> None:
    if not 2 <= n_classes <= MAX_CLASSES:
        raise ValueError(
            f"{name} has {n_classes} {'class' if n_classes == 1 else 'classes'}: "
            f"the number of classes must be from 2 to {MAX_CLASSES}"
        )


def encode(y: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Classes and, of each row, the index of its class."""
    check_labels(y)
    classes, targets = np.unique(y, return_inverse=True)
    _check_number_of_classes("y", len(classes))
    return classes, targets.astype(np.int32)


def encode_known(
    name: str, y: npt.NDArray[Any], classes: npt.NDArray[Any]
) -> npt.NDArray[np.int32]:
    """Of each row, the index of its class.

    Raises
    ------
    ValueError
        A label is of none of the classes.
    """
    check_labels(y)
    found, inverse = np.unique(y, return_inverse=True)
    places = np.searchsorted(classes, found)
    places[places == len(classes)] = 0
    is_unknown = classes[places] != found
    if is_unknown.any():
        raise ValueError(
            f"{name} has the label {found[is_unknown].tolist()[0]!r}, which is none of the classes "
            f"{classes.tolist()!r}"
        )
    return cast("npt.NDArray[np.int32]", places[inverse].astype(np.int32))


def check_weights(name: str, value: Any, n_samples: int) -> npt.NDArray[np.float64]:
    """Weights of rows, float64; a number stands for as many equal ones.

    Raises
    ------
    TypeError, ValueError
        Not numbers, of another length, negative, or not finite.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"its dtype is {array.dtype}, none of real numbers")
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            weights = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} is not allowed: it must hold numbers; {error}") from error
    if weights.ndim == 0:
        weights = np.full(n_samples, weights)
    if weights.shape != (n_samples,):
        raise ValueError(
            f"{name} has shape {weights.shape}: it must be ({n_samples},), one weight for each row"
        )
    is_wrong = ~((weights >= 0.0) & (weights < np.inf))
    if is_wrong.any():
        place = is_wrong.argmax()
        raise ValueError(
            f"{name}[{place}] is {weights[place]}: it must be a finite number of at least 0; "
            "negative values are not allowed"
        )
    return np.ascontiguousarray(weights)


def weigh_rows(
    name: str,
    sample_weight: Any,
    class_weight: Any,
    y: npt.NDArray[Any],
    classes: npt.NDArray[Any],
    targets: npt.NDArray[np.int32],
) -> npt.NDArray[np.float64] | None:
    """Weights of the rows, those of their classes included; None if all weigh 1.

    Parameters
    ----------
    name : str
        Of the rows' own weights, for errors.
    sample_weight : array-like of shape (n_samples,), or None
    class_weight : dict, "balanced" or None
    y : ndarray of shape (n_samples,)
        Labels.
    classes : ndarray of shape (n_classes,)
    targets : ndarray of shape (n_samples,)
        Indices of the labels' classes.

    Raises
    ------
    TypeError, ValueError
        See `check_weights`; or all are zero.
    """
    weights: npt.NDArray[np.float64] | None = None
    if sample_weight is not None:
        weights = check_weights(name, sample_weight, len(targets))
    if class_weight is not None:
        factors = class_factors(class_weight, classes, y, weights)
        weights = factors[targets] * (1.0 if weights is None else weights)
    if weights is not None and not 0 < weights.sum() < np.inf:
        raise ValueError(
            f"the sum of {name} * class_weight is {weights.sum()}: it must be above zero and finite"
        )
    return weights


def class_factors(
    class_weight: Any, classes: npt.NDArray[Any], y: npt.NDArray[Any], weights: Any
) -> npt.NDArray[np.float64]:
    """What `class_weight` multiplies the weights of each class's rows by.

    Parameters
    ----------
    class_weight : dict or "balanced"
    classes : ndarray of shape (n_classes,)
    y : ndarray of shape (n_rows,)
        Labels of rows, or of groups of rows.
    weights : ndarray of shape (n_rows,) or None
        Their weights.
    """
    for label, factor in class_weight.items() if isinstance(class_weight, dict) else ():
        if not isinstance(factor, Real):
            raise TypeError(
                f"class_weight has {factor!r} for the class {label!r}: "
                "it must be a finite number of at least 0"
            )
    with np.errstate(all="ignore"):
        factors = compute_class_weight(class_weight, classes=classes, y=y, sample_weight=weights)
    if isinstance(class_weight, str):
        # Of classes whose rows weigh nothing.
        factors[~np.isfinite(factors)] = 0.0
    for label, factor in zip(classes, factors, strict=True):
        if not 0 <= factor < np.inf:
            raise ValueError(
                f"class_weight has {factor} for the class {label!r}: "
                "it must be a finite number of at least 0"
            )
    return cast("npt.NDArray[np.float64]", factors)
