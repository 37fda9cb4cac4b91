"""Models as JSON that other languages read."""

import json
from typing import Any

from .. import __version__
from .linear_model import Feature, read_model


def to_json(model: Any) -> str:
    """A model as a JSON text, for readers in other languages.

    Parameters
    ----------
    model : SoftmaxClassifier, SoftmaxClassifierCV or SoftmaxRegressor
        Fitted.

    Returns
    -------
    str
        ASCII; an object of these members:

        - ``format``: ``"softreg_fast coefficients"``, and ``format_version``: 1.
        - ``package_version``: that of softreg_fast.
        - ``activation``: the name of the function that is applied to the logits, see
          `SoftmaxClassifier`.
        - ``classes``: a list of labels. All lists of numbers are in their order.
        - ``intercepts``: a list of a number for each class.
        - ``features``: a list of an object for each column of X: its ``name``, its ``kind``, and
          ``coefficients``. Those of the kind "number" are a list of a number for each class. The
          kind "category" has ``categories``, a list in which null stands for missing values, and
          for each of them such a list.

        The logits of a row are the intercepts, plus coefficients times value for each number, plus
        the coefficients of its category, if there is one, for each category. The probabilities are
        the softmax of the activated logits.

    Raises
    ------
    TypeError, ValueError
        The model can't be exported.
    """
    known = read_model(model).of_all_classes()
    document = {
        "format": "softreg_fast coefficients",
        "format_version": 1,
        "package_version": __version__,
        "activation": known.activation,
        "classes": known.classes,
        "intercepts": known.intercepts.tolist(),
        "features": [_describe(feature) for feature in known.features],
    }
    return json.dumps(document, allow_nan=False, indent=1)


def _describe(feature: Feature) -> dict[str, Any]:
    coefficients = feature.coefficients.tolist()
    if feature.categories is None:
        return {"name": feature.name, "kind": "number", "coefficients": coefficients}
    return {
        "name": feature.name,
        "kind": "category",
        "categories": feature.categories,
        "coefficients": coefficients,
    }
