"""The table of cases: each data set once, and how it is trained on."""

from dataclasses import asdict, dataclass, replace
from functools import cache, partial

import numpy as np

from . import makers


@dataclass(frozen=True)
class Case:
    """A data set and how mini-batch descent trains on it.

    Attributes
    ----------
    name : str
    n_samples, n_features, n_classes : int
    maker : callable
        Gives features and labels.
    is_synthetic, is_sparse : bool
    dtype : str
        Of the features.
    batch_size, n_epochs : int
    learning_rate : float
    is_long : bool
        Whether one repetition of all sides takes more than a few seconds.
    """

    name: str
    n_samples: int
    n_features: int
    n_classes: int
    maker: partial
    is_synthetic: bool = True
    is_sparse: bool = False
    dtype: str = "float64"
    batch_size: int = 256
    n_epochs: int = 5
    learning_rate: float = 0.1
    is_long: bool = False

    def __str__(self):
        return f"{self.title}, batches of {self.batch_size:,}, {self.dtype}"

    @property
    def title(self):
        """Name and shape."""
        shape = f"{self.n_samples:,} x {self.n_features:,} x {self.n_classes}"
        return f"{self.name}, {shape}" if self.name else shape

    @property
    def n_columns(self):
        """Columns of the coefficients: two classes share one."""
        return 1 if self.n_classes == 2 else self.n_classes

    def load(self):
        """Features and labels, made once in a process."""
        maker = self.maker
        X, y = _make(maker.func, maker.args, tuple(sorted(maker.keywords.items())))
        return (X if X.dtype == self.dtype else X.astype(self.dtype)), y

    def load_whole_batches(self):
        """Features and labels without the rows after the last whole batch."""
        n_rows = self.n_samples // self.batch_size * self.batch_size
        X, y = self.load()
        return X[:n_rows], y[:n_rows]

    def describe(self):
        """What a record keeps of a case."""
        return {key: value for key, value in asdict(self).items() if key not in ("name", "maker")}


@cache
def _make(function, arguments, keywords):
    return function(*arguments, **dict(keywords))


def forget():
    """Free the features and labels of all cases."""
    _make.cache_clear()


def _bundled(name, shape, scaling, **training):
    suffix = {"standard": "", "none": "-raw", "unit": "-unit"}[scaling]
    maker = partial(makers.bundled, name, scaling)
    return Case(f"{name}{suffix}", *shape, maker, is_synthetic=False, **training)


def dense(*shape, name="", dtype="float64", maker_options=(), **training):
    """A synthetic case of dense features.

    Parameters
    ----------
    *shape : int
        `n_samples`, `n_features`, `n_classes`.
    name : str, default=""
    dtype : str, default="float64"
    maker_options : tuple of (str, value), default=()
        For `makers.dense`.
    **training
        Other attributes of `Case`.
    """
    maker = partial(makers.dense, *shape, dtype=dtype, **dict(maker_options))
    return Case(name, *shape, maker, dtype=dtype, **training)


def sparse(*shape, name="", dtype="float32", **training):
    """A synthetic case of sparse features."""
    maker = partial(makers.sparse, *shape, dtype=dtype)
    return Case(name, *shape, maker, is_sparse=True, dtype=dtype, **training)


def tf_idf(*shape, name="tf-idf", dtype="float64", **training):
    """Documents of a generated corpus."""
    maker = partial(makers.tf_idf, *shape, dtype=dtype)
    return Case(name, *shape, maker, is_sparse=True, dtype=dtype, **training)


def one_hot(dtype):
    """Rows whose logits can be put as far apart as wanted."""
    shape = 20_000, 5, 5
    maker = partial(makers.one_hot, *shape, dtype=dtype)
    return Case("one-hot", *shape, maker, dtype=dtype, batch_size=1000, n_epochs=3)


def images(path):
    """Images of digits, from a file."""
    X, y = makers.images(path)
    shape = *X.shape, len(np.unique(y))
    return Case("images", *shape, partial(makers.images, path), is_synthetic=False)


_SHAPES = {"iris": (150, 4, 3), "wine": (178, 13, 3), "breast_cancer": (569, 30, 2)}
_SHAPES["digits"] = 1797, 64, 10
_UNBALANCED = ("is_unbalanced", True)

CASES = {
    case.name: case
    for case in [
        *(
            _bundled(name, shape, scaling)
            for name, shape in _SHAPES.items()
            for scaling in ("standard", "none")
        ),
        _bundled("iris", _SHAPES["iris"], "unit", batch_size=150, n_epochs=1000),
        _bundled("digits", _SHAPES["digits"], "unit", batch_size=64, n_epochs=20),
        dense(20_000, 16, 26, name="letter-shape", maker_options=(
            ("seed", 1), ("correlation", 0.5), ("spread", 0.7), _UNBALANCED)),
        dense(6_435, 36, 6, name="satellite-shape", maker_options=(
            ("seed", 5), ("correlation", 0.9), ("spread", 1.0), _UNBALANCED)),
        dense(58_000, 9, 7, name="shuttle-shape", maker_options=(
            ("seed", 2), ("correlation", 0.9), ("spread", 2.0), _UNBALANCED)),
        dense(500_000, 54, 7, name="covertype-shape", n_epochs=2, maker_options=(
            ("seed", 3), ("correlation", 0.5), ("spread", 0.3))),
        dense(500_000, 54, 2, name="two-classes", n_epochs=2, maker_options=(
            ("seed", 4), ("correlation", 0.5), ("spread", 0.3))),
        dense(60_000, 784, 10, name="mnist-shape", batch_size=128, n_epochs=2),
        dense(20_000, 784, 10, name="wide", batch_size=128),
        dense(100_000, 100, 10, name="medium", batch_size=1024),
        dense(20_000, 200, 100, name="many-classes", n_epochs=2, is_long=True),
        dense(1_000_000, 20, 5, name="many-rows", n_epochs=2, is_long=True),
        dense(20_000, 54, 7, name="small-covertype", maker_options=(
            ("seed", 3), ("correlation", 0.5), ("spread", 0.3))),
        sparse(100_000, 500_000, 20, name="text-shape", n_epochs=2),
        sparse(5_000, 5_000, 5, name="small-text"),
        sparse(5_000, 200, 4, name="narrow-text"),
    ]
}  # fmt: skip


def case(name, **changes):
    """A case of the table, with other attributes where they are given."""
    return replace(CASES[name], **changes)
