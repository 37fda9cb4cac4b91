"""scikit-learn's metadata routing, which its users switch on."""

from collections.abc import Mapping
from typing import Any

from sklearn import get_config


def is_routed() -> bool:
    """Whether metadata goes where it is requested."""
    return bool(get_config().get("enable_metadata_routing", False))


def refuse_unless_routed(params: Mapping[str, Any], estimator: Any, method: str) -> None:
    """Raise ValueError if a method was given metadata that only routing allows."""
    if params and not is_routed():
        raise ValueError(
            f"Passing extra keyword arguments to {type(estimator).__name__}.{method} is only "
            "supported if enable_metadata_routing=True, which you can set using "
            f"`sklearn.set_config`. Extra parameters passed are: {set(params)}"
        )
