"""Models as Python that needs the standard library alone."""

import keyword
from typing import Any

from .. import __version__
from .linear_model import Feature, LinearModel, read_model

_TEXT = '''"""Softmax regression, fitted by softreg_fast {version}."""

import math

{name}_classes = [{classes}]
{name}_features = [{features}]
_{name}_intercepts = [{intercepts}]
# Of each feature: a coefficient for each column, or those of each category.
_{name}_coefficients = [
    {coefficients},
]


def _{name}_values(row):
    """What the softmax is taken of."""
    names = {name}_features
    if hasattr(row, "keys"):
        row = [row[name] for name in names]
    elif len(row) != len(names):
        raise ValueError(f"row has {{len(row)}} values: it must have {{len(names)}}")
    values = list(_{name}_intercepts)
    for name, value, coefficients in zip(names, row, _{name}_coefficients):
        if isinstance(coefficients, dict):
            is_missing = value is None or value != value
            coefficients = coefficients.get(None if is_missing else value)
            if coefficients is None:
                continue
            value = 1.0
        else:
            if isinstance(value, str):
                raise TypeError(f"{{name!r}} is {{value!r}}: it must be a number")
            value = math.nan if value is None else float(value)
            if not math.isfinite(value):
                raise ValueError(f"{{name!r}} is {{value!r}}: it must be a finite number")
        for place, coefficient in enumerate(coefficients):
            values[place] += coefficient * value
    if not all(map(math.isfinite, values)):
        raise ValueError("row has values that are too large for this model")
    return {result}


def {name}(row):
    """Probabilities of the classes in `{name}_classes`.

    `row` is a sequence with a value for each of `{name}_features`, or a mapping by these names. A
    category that the model doesn't know contributes nothing. ValueError if a number is missing,
    NaN or infinite.
    """
    values = _{name}_values(row)
    largest = max(values)
    exponentials = [math.exp(value - largest) for value in values]
    total = sum(exponentials)
    return [exponential / total for exponential in exponentials]


def {name}_label(row):
    """The most probable class."""
    values = _{name}_values(row)
    return {name}_classes[values.index(max(values))]
'''
_LOGISTIC = """

def _{name}_activated(value):
    decayed = math.exp(-abs(value))
    return decayed / (1.0 + decayed) if value < 0.0 else 1.0 / (1.0 + decayed)
"""


def to_python(model: Any, function_name: str = "predict_proba") -> str:
    """A model as the source of a Python module.

    Parameters
    ----------
    model : SoftmaxClassifier, SoftmaxClassifierCV or SoftmaxRegressor
        Fitted.
    function_name : str, default="predict_proba"
        Name of the function for class probabilities; the others begin with it.

    Returns
    -------
    str
        ASCII. It defines, by the default name, ``predict_proba(row)``, which gives a list;
        ``predict_proba_label(row)``; and the lists ``predict_proba_classes`` and
        ``predict_proba_features``. A row is a sequence of numbers and categories, or a mapping by
        the features' names. A missing number, NaN or infinity raises ValueError. A category that
        `fit` has not seen contributes nothing.

    Raises
    ------
    TypeError, ValueError
        The model can't be exported, or the name isn't one.
    """
    if not isinstance(function_name, str) or not (
        function_name.isidentifier() and function_name.isascii()
    ):
        raise ValueError(f"function_name={function_name!r} is not allowed: it must be a name")
    if keyword.iskeyword(function_name) or function_name.startswith("_"):
        raise ValueError(
            f"function_name={function_name!r} is not allowed: it must be no keyword, and not begin "
            "with an underscore"
        )
    known = read_model(model)
    text = _TEXT.format(
        version=__version__,
        name=function_name,
        classes=_listed(known.classes),
        features=_listed([feature.name for feature in known.features]),
        intercepts=_listed(known.intercepts.tolist()),
        coefficients=",\n    ".join(_coefficients(feature) for feature in known.features),
        result=_result(known, function_name),
    )
    return text + (_LOGISTIC.format(name=function_name) if known.is_logistic else "")


def _listed(values: list[Any]) -> str:
    return ", ".join(map(ascii, values))


def _coefficients(feature: Feature) -> str:
    if feature.categories is None:
        return f"[{_listed(feature.coefficients.tolist())}]"
    pairs = zip(feature.categories, feature.coefficients.tolist(), strict=True)
    return "{" + ", ".join(f"{category!a}: {own}" for category, own in pairs) + "}"


def _result(known: LinearModel, name: str) -> str:
    result = f"list(map(_{name}_activated, values))" if known.is_logistic else "values"
    return f"[0.0, *{result}]" if known.n_columns == 1 else result
