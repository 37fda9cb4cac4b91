"""Models with categories as ONNX graphs, which take each column by its name."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import __version__
from ..inference.onnx_converter import check_labels
from .linear_model import LinearModel

_LABEL, _PROBABILITIES = "label", "probabilities"
_VERSION, _VERSION_OF_LABELS, _VERSION_OF_FORMAT = 13, 2, 7


def to_onnx_graph(known: LinearModel, missing: Sequence[str] = ()) -> bytes:
    """A model as an ONNX file.

    Parameters
    ----------
    known : LinearModel
        Its categories are strings, or None.
    missing : sequence of str, default=()
        Texts that stand for missing values, since ONNX has no others. They are of the category
        None, or of none if there is no such one.

    Returns
    -------
    bytes
        The graph has an input for each feature, named as it, of shape (n_samples, 1): float64, or
        strings. The arithmetic is in float64. Outputs are "label", of shape (n_samples,), and
        "probabilities", of shape (n_samples, n_classes), with "_predicted" after a name that a
        feature has.

    Raises
    ------
    ValueError
        Labels are numbers that are not whole, or a feature has no name.
    ImportError
        onnx isn't installed.
    """
    check_labels(known.classes)
    names = [feature.name for feature in known.features]
    if "" in names:
        raise ValueError(
            "a column has no name, which inputs of ONNX need: name it, and train again"
        )
    return _Graph(known.of_all_classes(), missing, names).to_bytes()


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self, known: LinearModel, missing: Sequence[str], names: list[str]) -> None:
        self._known = known
        self._missing = missing
        self._names = names
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._prefix = "softreg_"
        while any(name.startswith(self._prefix) for name in names):
            self._prefix += "_"

    def to_bytes(self) -> bytes:
        """The file."""
        from onnx import TensorProto, helper

        known = self._known
        label, probabilities = map(self._name_of_output, (_LABEL, _PROBABILITIES))
        values = self._logits()
        if known.is_logistic:
            values = self._node("Sigmoid", [values])
        self._node("Softmax", [values], probabilities, axis=1)
        best = self._node("ArgMax", [values], axis=1, keepdims=0)
        are_texts = isinstance(known.classes[0], str)
        classes = np.array(known.classes, object if are_texts else np.int64)
        self._node("Gather", [self._constant(classes), best], label, axis=0)
        inputs = [
            helper.make_tensor_value_info(
                feature.name,
                TensorProto.DOUBLE if feature.categories is None else TensorProto.STRING,
                ["n_samples", 1],
            )
            for feature in known.features
        ]
        kind = TensorProto.STRING if are_texts else TensorProto.INT64
        shape = ["n_samples", len(classes)]
        outputs = [
            helper.make_tensor_value_info(label, kind, ["n_samples"]),
            helper.make_tensor_value_info(probabilities, TensorProto.DOUBLE, shape),
        ]
        graph = helper.make_graph(
            self._nodes, "softmax_regression", inputs, outputs, self._constants
        )
        versions = [("", _VERSION), ("ai.onnx.ml", _VERSION_OF_LABELS)]
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*each) for each in versions],
            ir_version=_VERSION_OF_FORMAT,
            producer_name="softreg_fast",
            producer_version=__version__,
        )
        content: bytes = model.SerializeToString()
        return content

    def _logits(self) -> str:
        """The linear functions of all classes."""
        known = self._known
        terms = [self._constant(known.intercepts[None, :])]
        numbers = [feature for feature in known.features if feature.categories is None]
        if numbers:
            joined = self._node("Concat", [feature.name for feature in numbers], axis=1)
            coefficients = np.array([feature.coefficients for feature in numbers])
            terms.append(self._node("MatMul", [joined, self._constant(coefficients)]))
        for feature in known.features:
            if feature.categories is None:
                continue
            # The last row is of categories that the model doesn't know.
            rows = np.vstack([feature.coefficients, np.zeros(known.n_columns)])
            code = self._code(feature.name, feature.categories)
            own = self._node("Gather", [self._constant(rows), code], axis=0)
            terms.append(self._node("Reshape", [own, self._shape()]))
        total = terms[0]
        for term in terms[1:]:
            total = self._node("Add", [total, term])
        return total

    def _code(self, name: str, categories: list[Any]) -> str:
        """The number of a category."""
        places = {each: place for place, each in enumerate(categories) if each is not None}
        if None in categories:
            places |= dict.fromkeys(self._missing, categories.index(None))
        return self._node(
            "LabelEncoder",
            [name],
            domain="ai.onnx.ml",
            keys_strings=list(places),
            values_int64s=list(places.values()),
            default_int64=len(categories),
        )

    def _shape(self) -> str:
        return self._constant(np.array([-1, self._known.n_columns]))

    def _name_of_output(self, name: str) -> str:
        while name in self._names:
            name += "_predicted"
        return name

    def _new_name(self) -> str:
        return f"{self._prefix}{len(self._nodes) + len(self._constants)}"

    def _constant(self, array: Any) -> str:
        from onnx import numpy_helper

        name = self._new_name()
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = self._new_name()
        output = output or name
        self._nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))
        return output
