"""Models as nodes of ONNX graphs, through skl2onnx."""

import sys
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from .._extras import missing_package
from ..objective.loss import LOSSES, NOTEBOOK_ACTIVATION

_ALIAS, _LINEAR_ALIAS = "SoftregFastSoftmaxClassifier", "SoftregFastLogisticRegression"
_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
}
_registered: WeakSet[type] = WeakSet()


def register(estimator: type, *, is_linear: bool = False) -> None:
    """Have skl2onnx convert the models of a class.

    Parameters
    ----------
    estimator : type
    is_linear : bool, default=False
        Whether its models are scikit-learn's linear ones, which skl2onnx itself converts.

    Raises
    ------
    ImportError
        skl2onnx isn't installed.
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
        from skl2onnx.operator_converters.linear_classifier import convert_sklearn_linear_classifier
    except ModuleNotFoundError as error:
        raise missing_package("conversion to ONNX", error.name, "onnx") from error
    alias, shapes, converter = _ALIAS, calculate_shapes, convert
    if is_linear:
        alias, shapes = _LINEAR_ALIAS, calculate_linear_classifier_output_shapes
        converter = convert_sklearn_linear_classifier
    update_registered_converter(estimator, alias, shapes, converter, options=dict(_OPTIONS))
    _registered.add(estimator)


def register_if_loaded(estimator: type, *, is_linear: bool = False) -> None:
    """The same if skl2onnx is imported already, and has no converter for the class."""
    if "skl2onnx" not in sys.modules or estimator in _registered:
        return
    with suppress(ImportError):
        from skl2onnx import get_model_alias

        try:
            get_model_alias(estimator)
        except RuntimeError:
            register(estimator, is_linear=is_linear)
        else:
            _registered.add(estimator)


def check_labels(classes: Any) -> None:
    """Raise ValueError if ONNX has no such labels.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
    """
    labels = np.asarray(classes)
    if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
        raise ValueError(
            f"the classes {labels.tolist()!r} can't be converted to ONNX, which has integers and "
            "strings as labels: use strings"
        )


def _check(model: Any) -> None:
    if hasattr(model, "_reader"):
        raise ValueError(
            f"categorical_features={model.categorical_features!r} can't be converted to ONNX: "
            "convert what to_sklearn() of the model gives, a pipeline with OneHotEncoder"
        )
    check_labels(model.classes_)
    activation = model.activation_
    is_known = activation == NOTEBOOK_ACTIVATION and len(model.coef_) > 1
    if LOSSES[activation].changes_logits and not is_known:
        raise ValueError(
            f"activation={activation!r} can't be converted to ONNX with these coefficients"
        )


def calculate_shapes(operator: Any) -> None:
    """Types and shapes of labels and probabilities.

    Raises
    ------
    ValueError
        The model has categories, or labels that are neither integers nor strings.
    """
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    _check(operator.raw_operator)
    calculate_linear_classifier_output_shapes(operator)


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a model to a graph.

    The arithmetic is in float64 if the features are, else in float32.

    Raises
    ------
    ValueError
        The model has categories, or coefficients that are not finite in this arithmetic.
    """
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType
    from skl2onnx.common.utils_classifier import get_label_classes

    model, features = operator.raw_operator, operator.inputs[0]
    _check(model)
    labels, results = (output.full_name for output in operator.outputs[:2])
    is_double = isinstance(features.type, DoubleTensorType)
    number = TensorProto.DOUBLE if is_double else TensorProto.FLOAT
    coef, intercept = (array.astype(np.float64) for array in model._coefficients())
    dtype = np.float64 if is_double else np.float32
    with np.errstate(over="ignore"):
        are_finite = all(np.isfinite(array.astype(dtype)).all() for array in (coef, intercept))
    if not are_finite:
        raise ValueError(
            f"coef_ or intercept_ has numbers that are not finite in {np.dtype(dtype).name}: the "
            "model can't be converted to ONNX"
        )
    are_two = len(coef) == 1
    if are_two:  # of which the first one's logits are those of the second, negated
        coef, intercept = np.concatenate([-coef, coef]), np.concatenate([-intercept, intercept])
    changes_logits = LOSSES[model.activation_].changes_logits

    def name(hint: str) -> str:
        found: str = scope.get_unique_variable_name(hint)
        return found

    def constant(hint: str, kind: int, array: npt.NDArray[Any]) -> str:
        own = name(hint)
        container.add_initializer(own, kind, list(array.shape), array.ravel().tolist())
        return own

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        own = scope.get_unique_operator_name(kind)
        container.add_node(kind, inputs, [output], name=own, **attributes)
        return output

    numbers = features.full_name
    if type(features.type).__name__ not in ("FloatTensorType", "DoubleTensorType"):
        numbers = node("Cast", [numbers], name("numbers"), to=number)
    products = node("MatMul", [numbers, constant("coef", number, coef.T)], name("products"))
    options = container.get_options(model, {"raw_scores": False})
    logits_are_results = options["raw_scores"] and not changes_logits
    bias = constant("intercept", number, intercept)
    values = node("Add", [products, bias], results if logits_are_results else name("logits"))
    if changes_logits:
        values = node("Sigmoid", [values], results if options["raw_scores"] else name("values"))
    if not options["raw_scores"]:
        if are_two:
            node("Sigmoid", [values], results)
        else:
            node("Softmax", [values], results, axis=1)
    best = node("ArgMax", [values], name("best"), axis=1, keepdims=0)
    classes = np.asarray(get_label_classes(scope, model))
    if classes.dtype.kind in "biuf":
        known = constant("classes", TensorProto.INT64, classes.astype(np.int64))
    else:
        encoded = np.array([str(each).encode("utf-8") for each in classes], object)
        known = constant("classes", TensorProto.STRING, encoded)
    node("Gather", [known, best], labels, axis=0)
