"""What scikit-learn has no public name for. Without these names, what needs them is left out."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any


def metric_of(scorer: Any) -> tuple[Callable[..., Any], Mapping[str, Any]] | None:
    """The metric of what `make_scorer` has made, and the arguments that it was given.

    None for other scorers. Metrics have to be told of all labels where a part of the rows lacks
    some. What a scorer has been made of can't be asked by public names.
    """
    metric, given = getattr(scorer, "_score_func", None), getattr(scorer, "_kwargs", None)
    if not callable(metric) or not isinstance(given, Mapping):
        return None
    return metric, given


def with_arguments(scorer: Any, arguments: Mapping[str, Any]) -> Any:
    """A copy of a scorer that `metric_of` knows, with other arguments of the metric."""
    scorer = copy.copy(scorer)
    scorer._kwargs = dict(arguments)
    return scorer


def has_callbacks(estimator: Any) -> bool:
    """Whether callbacks were set, by its `set_callbacks` or on the estimator it is a clone of.

    True if that isn't known: callbacks are told then, which takes longer where there are none.
    """
    set_callbacks = getattr(type(estimator), "set_callbacks", None)
    if set_callbacks is None:
        return False
    code = getattr(inspect.unwrap(set_callbacks), "__code__", None)
    is_known = code is not None and "_skl_callbacks" in code.co_names
    return bool(getattr(estimator, "_skl_callbacks", not is_known))


# What is of the process that has made it, and no data.
CALLBACKS = "_skl_callbacks"
REQUESTS = "_metadata_request"


def metadata_requests_of(estimator: Any) -> dict[str, dict[str, Any]]:
    """The metadata that each method of an estimator requests, as `set_fit_request` was given."""
    given = vars(estimator).get(REQUESTS)
    return {
        method: {name: value for name, value in own.requests.items() if value is not None}
        for method, own in (vars(given) if given is not None else {}).items()
        if getattr(own, "requests", None)
    }
