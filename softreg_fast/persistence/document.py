"""Models as documents, and documents as models."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import config_context

from .. import __version__
from .._sklearn import CALLBACKS, REQUESTS, metadata_requests_of
from ..estimators.classifier import SoftmaxClassifier
from ..estimators.tables import TableReader
from .archive import Archive
from .attributes import KINDS, Kind
from .errors import ModelFileError
from .stream import parts_of, stream_of
from .values import Reader, Writer

FORMAT, FORMAT_VERSION = "softreg_fast model", 1
_READER, _STREAM, _CATEGORIES = "_reader", "_stream", "categories_"
_NAMES = {
    "format", "format_version", "package_version", "class", "parameters", "attributes", "columns",
    "stream", "metadata_requests", "metadata",
}  # fmt: skip
_HINTS = {
    "scoring": "; set_params(scoring='neg_log_loss') changes nothing that has been fitted",
    "cv": "; set_params(cv=None) changes nothing that has been fitted",
}


def describe(model: Any, metadata: Mapping[str, Any]) -> tuple[dict[str, Any], Writer]:
    """The document of a model, and what has kept its arrays.

    Raises
    ------
    TypeError, ValueError
        The model can't be saved.
    """
    kind = KINDS.get(type(model).__name__)
    if kind is None or type(model) is not kind.estimator:
        hint = "; save what its to_local() gives" if hasattr(model, "to_local") else ""
        hint = "; of a pipeline, save the last step" if hasattr(model, "steps") else hint
        raise TypeError(
            f"model is a {type(model).__name__}: it must be a {', '.join(KINDS)}, and no "
            f"subclass{hint}"
        )
    writer = Writer()
    parameters = kind.parameters_of(model)
    state = _state_of(model, kind, parameters)
    reader, stream = state.pop(_READER, None), state.pop(_STREAM, None)
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "class": type(model).__name__,
        "parameters": {
            name: _encode_parameter(writer, name, value) for name, value in parameters.items()
        },
        "attributes": {name: writer.encode(name, value) for name, value in state.items()},
        "columns": None if reader is None else _columns_of(writer, reader),
        "stream": None
        if stream is None
        else {name: writer.encode(name, value) for name, value in parts_of(stream).items()},
        "metadata_requests": metadata_requests_of(model),
        "metadata": dict(metadata),
    }
    return document, writer


def _encode_parameter(writer: Writer, name: str, value: Any) -> Any:
    try:
        return writer.encode(name, value)
    except TypeError as error:
        raise TypeError(f"{error}{_HINTS.get(name, '')}") from None


def _state_of(model: Any, kind: Kind, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fitted attributes, which are what the format says."""
    own = {*parameters, _CATEGORIES, CALLBACKS, REQUESTS}
    if "lr" in parameters:
        own.add("learning_rate")
    state = {name: value for name, value in vars(model).items() if name not in own}
    for name in state:
        if name not in kind.attributes and name not in (_READER, _STREAM):
            raise TypeError(
                f"model has the attribute {name!r}, which no fit has set, so it can't be saved: "
                "delete it first, or keep what it is in metadata"
            )
    try:
        _check_state(kind, state)
    except ModelFileError as error:
        raise ValueError(f"model can't be saved: {error}") from None
    return state


def _check_state(kind: Kind, state: Mapping[str, Any]) -> None:
    """Raise ModelFileError for an attribute that no fit would have given."""
    for name, value in state.items():
        if name in kind.attributes and not kind.attributes[name](value):
            raise ModelFileError(
                f"the attribute {name!r} is not what it must be: {str(value)[:80]}"
            )
    lacking = [name for name in kind.needed if name not in state]
    if state and lacking:
        raise ModelFileError(f"the model lacks {lacking[0]!r}, though it is fitted")


def _columns_of(writer: Writer, reader: TableReader) -> list[dict[str, Any]]:
    return [
        {"name": name, "categories": writer.encode(f"the categories of {name!r}", categories)}
        for name, categories in zip(reader.names, reader.categories, strict=True)
    ]


def read_model(archive: Archive) -> tuple[Any, dict[str, Any]]:
    """The model of a file, and its metadata.

    Raises
    ------
    ModelFileError
        The file isn't one of a model.
    """
    document = archive.read_document()
    if document.get("format") != FORMAT:
        raise ModelFileError(f"its document is not that of a {FORMAT}")
    version = document.get("format_version")
    if type(version) is not int or version < 1:
        raise ModelFileError(f"its format version is {str(version)[:80]}")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"its format version is {version}, and this version of softreg_fast knows "
            f"{FORMAT_VERSION}: a newer one is needed, such as "
            f"{str(document.get('package_version'))[:20]}"
        )
    if set(document) != _NAMES:
        raise ModelFileError(f"its document must have the members {', '.join(sorted(_NAMES))}")
    for name in ("parameters", "attributes", "metadata_requests", "metadata"):
        if not isinstance(document[name], dict):
            raise ModelFileError(f"{name!r} of its document is not an object")
    name = document["class"]
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ModelFileError(f"it is a model of the class {str(name)[:80]!r}, which is unknown")
    reader = Reader(archive)
    state = {name: reader.decode(name, value) for name, value in document["attributes"].items()}
    for name in state:
        if name not in kind.attributes:
            raise ModelFileError(f"it has the attribute {name[:80]!r}, which is unknown")
    _check_state(kind, state)
    model = _begin(kind, reader, document["parameters"])
    _add_columns(state, reader, document["columns"])
    if (_READER in state or document["stream"] is not None) and "coef_" not in state:
        raise ModelFileError("it has columns or a stream of a model that isn't fitted")
    vars(model).update(state)
    if state:
        _check_shapes(model)
    _add_stream(model, kind, reader, document["stream"])
    _add_requests(model, document["metadata_requests"])
    return model, document["metadata"]


def _begin(kind: Kind, reader: Reader, given: Mapping[str, Any]) -> Any:
    """The model, not fitted."""
    parameters = {name: reader.decode(name, value) for name, value in given.items()}
    try:
        return kind.estimator(**parameters)
    except Exception as error:  # whatever a class makes of nonsense
        raise ModelFileError(f"its parameters are not allowed: {error}") from error


def _add_columns(state: dict[str, Any], reader: Reader, columns: Any) -> None:
    """See `TableReader`."""
    if columns is None:
        return
    names, categories = [], []
    try:
        for column in columns:
            names.append(column["name"])
            categories.append(reader.decode("categories", column["categories"]))
    except (TypeError, KeyError) as error:
        raise ModelFileError("its columns are not what they must be") from error
    for name, values in zip(names, categories, strict=True):
        is_array = isinstance(values, np.ndarray) and values.ndim == 1
        if not isinstance(name, str) or not (values is None or is_array):
            raise ModelFileError(f"the column {str(name)[:80]!r} is not what it must be")
    state[_READER] = TableReader(tuple(categories), tuple(names))
    state[_CATEGORIES] = state[_READER].of_categorical


def _check_shapes(model: Any) -> None:
    """Raise ModelFileError if attributes contradict each other."""
    if not hasattr(model, "coef_"):
        n_classes = model.biases.shape[0]
        is_whole = model.n_classes == n_classes >= 2 and model.n_features == len(model.coeffs) >= 1
        if not is_whole or model.coeffs.shape[1] != n_classes:
            raise ModelFileError("the shapes of coeffs and biases contradict the numbers of both")
        return
    reader = getattr(model, _READER, None)
    names = getattr(model, "feature_names_in_", None)
    n_features = model.n_features_in_
    if len(model.classes_) < 2:
        raise ModelFileError("it has fewer than two classes")
    if names is not None and len(names) != n_features:
        raise ModelFileError(f"it has {len(names)} names of {n_features} features")
    if reader is not None and len(reader.names) != n_features:
        raise ModelFileError(f"it has {len(reader.names)} columns of {n_features} features")
    try:
        model._coefficients()
    except ValueError as error:
        raise ModelFileError(str(error)) from error


def _add_stream(model: Any, kind: Kind, reader: Reader, parts: Any) -> None:
    if parts is None:
        return
    if not isinstance(parts, dict) or kind.estimator is not SoftmaxClassifier:
        raise ModelFileError("'stream' of its document is not that of a model which has one")
    n_columns, n_features = model.coef_.shape
    decoded = {name: reader.decode(name, value) for name, value in parts.items()}
    setattr(model, _STREAM, stream_of(decoded, n_features, n_columns))


def _add_requests(model: Any, requests: Mapping[str, Any]) -> None:
    """What methods request of metadata, by the methods that users set it with."""
    try:
        with config_context(enable_metadata_routing=True):
            for method, own in requests.items():
                if any(not isinstance(value, bool | str) for value in own.values()):
                    raise TypeError(own)
                getattr(model, f"set_{method}_request")(**own)
    except Exception as error:  # whatever scikit-learn makes of nonsense
        raise ModelFileError("its metadata requests are not allowed") from error
