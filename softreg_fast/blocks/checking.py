"""Checks of pieces; every error names the place, the row and a remedy."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from ..data.arrays import check_sparse_features
from .cutting import Part
from .labels import LabelCodes, LabelError
from .source import Codes, Piece

_DOUBLE, _SINGLE = np.dtype(np.float64), np.dtype(np.float32)


def row_name(place: str, row: int) -> str:
    """A row as errors name it; rows are counted from 0."""
    return f"row {row} of {place}"


class PieceChecks:
    """What all pieces have in common, which the first one says.

    Parameters
    ----------
    feature_names : list of str or None

    Attributes
    ----------
    n_features : int or None
        None before the first piece.
    dtype : numpy.dtype or None
    is_sparse : bool
    """

    def __init__(self, feature_names: list[str] | None) -> None:
        self._feature_names = feature_names
        self._first_place = ""
        self.n_features: int | None = None
        self.dtype: np.dtype | None = None
        self.is_sparse = False

    def take(self, piece: Piece, labels: LabelCodes | None, *, check_values: bool) -> Part:
        """A piece as kernels read it.

        Parameters
        ----------
        piece : Piece
        labels : LabelCodes or None
            Encodes the labels, if they are wanted.
        check_values : bool
            Whether features and weights are looked at; otherwise shapes and dtypes alone.

        Raises
        ------
        TypeError, ValueError
            Something is not allowed.
        """
        features = self._shape(piece)
        n_rows = features.shape[0]
        if check_values:
            features = self._check_values(features, piece)
        codes = None
        if labels is not None:
            self._check_length("target", piece.labels, n_rows, piece.place)
            codes = _encode(labels, piece)
        weights = None
        if piece.weights is not None:
            self._check_length("weight", piece.weights, n_rows, piece.place)
            weights = _check_weights(piece, check_values=check_values)
        return Part(features, codes, weights, piece.place, piece.first_row)

    def _shape(self, piece: Piece) -> Any:
        """Features in the dtype of the first piece's, which settles it."""
        features, place = piece.features, piece.place
        is_sparse = issparse(features)
        if not is_sparse:
            features = np.asarray(features)
        if features.dtype.kind not in "biuf":
            raise TypeError(
                f"{place} has features of dtype {features.dtype}: they must be real numbers"
            )
        check_shape(features.shape, place)
        if 0 in features.shape:
            raise ValueError(
                f"{place} has features of shape {features.shape}: a block must have a row and a "
                "column at least; leave empty ones out"
            )
        dtype = _SINGLE if features.dtype == _SINGLE else _DOUBLE
        if self.dtype is None:
            self.n_features, self.dtype, self.is_sparse = features.shape[1], dtype, is_sparse
            self._first_place = place
            if self._feature_names and len(self._feature_names) != self.n_features:
                raise ValueError(
                    f"{place} has {self.n_features} features, but there are "
                    f"{len(self._feature_names)} names of features"
                )
        for name, here, expected in [
            ("features", features.shape[1], self.n_features),
            ("features of dtype", dtype.name, self.dtype.name),
            ("rows that are", *(_kind(each) for each in (is_sparse, self.is_sparse))),
        ]:
            if here != expected:
                described = f"{here} {name}" if name == "features" else f"{name} {here}"
                raise ValueError(
                    f"{place} has {described}, but {self._first_place} has {expected}: all "
                    "blocks must agree; convert one of them"
                )
        if is_sparse:
            features = csr_array(features)
        return features.astype(dtype, copy=False)

    def _check_values(self, features: Any, piece: Piece) -> Any:
        if issparse(features):
            try:
                return check_sparse_features("features", features, self._feature_names)
            except ValueError as error:
                raise ValueError(
                    f"{error}, in rows of {piece.place} from row {piece.first_row} on"
                ) from error
        with np.errstate(all="ignore"):
            if np.isfinite(features.sum()):
                return features
            is_wrong = ~np.isfinite(features)
        if is_wrong.any():
            row, column = (int(place) for place in np.argwhere(is_wrong)[0])
            feature = f"feature {column}"
            if self._feature_names is not None:
                feature = f"the feature {self._feature_names[column]!r}"
            found = features[row, column]
            raise ValueError(
                f"{feature} is {'NaN' if np.isnan(found) else found} in "
                f"{row_name(piece.place, piece.first_row + row)}: all features must be finite; "
                "fill in or leave out missing values"
            )
        return features

    @staticmethod
    def _check_length(name: str, values: Any, n_rows: int, place: str) -> None:
        if values is None:
            raise ValueError(f"{place} has no {name}: every block must have one")
        length = len(values) if isinstance(values, Codes) else np.shape(values)
        if length not in (n_rows, (n_rows,), (n_rows, 1)):
            raise ValueError(
                f"{place} has a {name} of shape {length} beside {n_rows} rows of features: it must "
                f"be ({n_rows},), one for each row"
            )


def check_shape(shape: tuple[int, ...], place: str) -> None:
    """Raise ValueError if features aren't a matrix."""
    if len(shape) != 2:
        raise ValueError(
            f"{place} has features of shape {shape}: they must be two-dimensional, "
            "(n_rows, n_features)"
        )


def _kind(is_sparse: bool) -> str:
    return "sparse" if is_sparse else "dense"


def _encode(labels: LabelCodes, piece: Piece) -> npt.NDArray[np.int32]:
    try:
        return labels.encode(piece.labels)
    except LabelError as error:
        where = row_name(piece.place, piece.first_row + error.row)
        raise ValueError(f"{error}, in {where}; leave the row out, or correct it") from error
    except ValueError as error:
        raise ValueError(f"the target of {piece.place} is not allowed: {error}") from error


def _check_weights(piece: Piece, *, check_values: bool) -> npt.NDArray[np.float64]:
    given = np.asarray(piece.weights)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"{piece.place} has weights of dtype {given.dtype}: they must be numbers")
    weights = np.ascontiguousarray(given.reshape(-1), np.float64)
    if check_values:
        is_wrong = ~((weights >= 0.0) & (weights < np.inf))
        if is_wrong.any():
            row = int(is_wrong.argmax())
            raise ValueError(
                f"the weight is {weights[row]} in {row_name(piece.place, piece.first_row + row)}: "
                "weights must be finite and at least 0; negative values are not allowed"
            )
    return weights
