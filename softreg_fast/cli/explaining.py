"""The largest coefficients of a model."""

from typing import Any

import numpy as np

from .console import name_of
from .tables.columns import NUMBER, ColumnTable

_LARGEST_EXPONENT = 700.0


def shown_names(model: Any, table: ColumnTable) -> list[str]:
    """Of the coefficients of a class, with what categories are compared with."""
    if table.n_sparse is not None:
        return [f"x{place}" for place in range(model.coef_.shape[1])]
    return [
        name if column.reference is None else f"{name} (against {column.reference})"
        for column in table.columns
        for name in column.coefficient_names
    ]


def references_of(table: ColumnTable) -> dict[str, str]:
    """The categories that those of their column are compared with, by columns."""
    return {
        column.name: column.reference for column in table.columns if column.reference is not None
    }


def scales_of(model: Any, table: ColumnTable) -> Any:
    """By how much the feature of each coefficient varies; 1 where that is not known."""
    if table.n_sparse is not None:
        return np.ones(model.coef_.shape[1])
    return np.array(
        [
            column.scale or 1.0 if column.kind == NUMBER else 1.0
            for column in table.columns
            for _ in column.coefficient_names
        ]
    )


def largest_coefficients(
    model: Any, table: ColumnTable, most: int, summary: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Of each class, the coefficients that move the logits most.

    Those of numbers are compared by their effect for one standard deviation.

    Parameters
    ----------
    model : SoftmaxClassifier
    table : ColumnTable
    most : int
        How many of each class.
    summary : dict or None
        Standard errors, as `summary_of` gives them.

    Returns
    -------
    list of dict
        Of each class, or of the second of two: ``class``, ``against`` (the class that it is
        compared with, or None), ``intercept`` and ``coefficients``.
    """
    shown, scales = shown_names(model, table), scales_of(model, table)
    features = table.coefficient_names or shown
    labels = [name_of(label) for label in model.classes_.tolist()]
    coef, intercept = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    against = labels[0] if len(coef) == 1 else None
    own_labels = labels[1:] if len(coef) == 1 else labels
    found = []
    for place, label in enumerate(own_labels):
        effects = coef[place] * scales
        order = np.argsort(-np.abs(effects), kind="stable")[:most]
        rows = []
        for each in order.tolist():
            row = {
                "name": shown[each],
                "feature": features[each],
                "coefficient": float(coef[place, each]),
                "odds_ratio": _exp(coef[place, each]),
                "effect_of_one_sd": float(effects[each]),
                "odds_ratio_of_one_sd": _exp(effects[each]),
            }
            if summary is not None and len(coef) == 1:
                row |= _interval(summary, each - len(shown))
            rows.append(row)
        found.append(
            {
                "class": label,
                "against": against,
                "intercept": float(intercept[place]),
                "coefficients": rows,
            }
        )
    return found


def _exp(exponent: float) -> float:
    return float(np.exp(np.clip(exponent, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)))


def _interval(summary: dict[str, Any], place: int) -> dict[str, float]:
    """Of two classes, what is known of a coefficient besides; the intercept is the first of all."""
    return {each: summary[each][0][place] for each in ("std_err", "p_value", "lower", "upper")}


def summary_of(summary: Any) -> dict[str, Any]:
    """Standard errors as JSON has them."""
    return {
        "classes": [name_of(label) for label in summary.classes],
        "reference": None if summary.reference is None else name_of(summary.reference),
        "names": list(summary.names),
        "confidence": summary.confidence,
        **{
            name: np.asarray(getattr(summary, name), np.float64).tolist()
            for name in ("coef", "std_err", "z", "p_value", "lower", "upper")
        },
    }
