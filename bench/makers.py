"""Makers of data: sets that scikit-learn ships, and synthetic ones made from a seed."""

import numpy as np
import scipy.sparse
import sklearn.datasets
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import StandardScaler

ROWS_OF_A_BLOCK = 20_000


def bundled(name, scaling):
    """A set that scikit-learn ships.

    Parameters
    ----------
    name : {"iris", "wine", "breast_cancer", "digits"}
    scaling : {"none", "standard", "unit"}
        "standard" gives each feature mean 0 and variance 1. "unit" scales the whole array to 0..1
        and shuffles the rows, as the notebook does.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    """
    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    if scaling == "standard":
        X = StandardScaler().fit_transform(X)
    elif scaling == "unit":
        order = np.random.default_rng(0).permutation(len(y))
        X, y = ((X - X.min()) / (X.max() - X.min()))[order], y[order]
    return X, y


def dense(
    n_samples, n_features, n_classes, *,
    seed=0, dtype="float64", correlation=0.0, spread=None, is_unbalanced=False,
):  # fmt: skip
    """Normal features, standardised, and labels drawn from a softmax model of them.

    Parameters
    ----------
    n_samples, n_features, n_classes : int
    seed : int, default=0
    dtype : str, default="float64"
    correlation : float, default=0.0
        Share of each feature that is a mixture of all features, from 0 to 1.
    spread : float, default=None
        Standard deviation of the coefficients that labels are drawn with. None is
        ``1 / sqrt(n_features)``.
    is_unbalanced : bool, default=False
        Whether features have heavy tails, classes are unbalanced, and the last class has ten rows.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    """
    random = np.random.default_rng(seed)
    spread = 1.0 / np.sqrt(n_features) if spread is None else spread
    mixing = (1.0 - correlation) * np.eye(n_features)
    mixing += correlation * random.standard_normal(mixing.shape) / np.sqrt(n_features)
    coef = spread * random.standard_normal((n_features, n_classes))
    intercept = (1.5 if is_unbalanced else 0.3) * random.standard_normal(n_classes)
    X, y = np.empty((n_samples, n_features), dtype), np.empty(n_samples, np.int64)
    for start in range(0, n_samples, ROWS_OF_A_BLOCK):
        rows = slice(start, min(start + ROWS_OF_A_BLOCK, n_samples))
        shape = rows.stop - start, n_features
        block = random.standard_t(3, shape) if is_unbalanced else random.standard_normal(shape)
        if correlation:
            block = block @ mixing
        logits = block @ coef + intercept
        X[rows], y[rows] = block, (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    if is_unbalanced:
        y[y == n_classes - 1] = 0
        y[random.choice(n_samples, 10, replace=False)] = n_classes - 1
    elif n_samples >= n_classes:
        y[:n_classes] = np.arange(n_classes)
    X -= X.mean(axis=0)
    X /= X.std(axis=0)
    return X, y


def sparse(n_samples, n_features, n_classes, *, n_elements=60, seed=0, dtype="float32"):
    """CSR rows like those of a text: column frequencies follow Zipf's law.

    Parameters
    ----------
    n_samples, n_features, n_classes : int
    n_elements : int, default=60
        Elements of a row, before those of the same column are added up.
    seed : int, default=0
    dtype : str, default="float32"

    Returns
    -------
    X : scipy.sparse.csr_array of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    """
    random = np.random.default_rng(seed)
    shares = np.cumsum(1.0 / np.arange(1, n_features + 1))
    columns = np.searchsorted(shares / shares[-1], random.random((n_samples, n_elements)))
    columns = np.sort(columns, axis=1).astype(np.int32)
    values = (1.0 + random.exponential(size=columns.shape)).astype(dtype)
    pointers = np.arange(0, n_samples * n_elements + 1, n_elements, dtype=np.int32)
    X = scipy.sparse.csr_array(
        (values.ravel(), columns.ravel(), pointers), shape=(n_samples, n_features)
    )
    X.sum_duplicates()
    logits = X @ (0.7 * random.standard_normal((n_features, n_classes)).astype(dtype))
    return X, (logits + random.gumbel(size=logits.shape)).argmax(axis=1)


def tf_idf(n_samples, n_features, n_classes, *, n_words=100, seed=0, dtype="float64"):
    """CSR rows of a generated corpus: words follow Zipf's law, documents have unit length.

    Parameters
    ----------
    n_samples, n_features, n_classes : int
    n_words : int, default=100
        Of a document, on average.
    seed : int, default=0
    dtype : str, default="float64"

    Returns
    -------
    X : scipy.sparse.csr_array of shape (n_samples, n_features)
        Counts times the inverse document frequencies, as scikit-learn's `TfidfTransformer` has
        them.
    y : ndarray of shape (n_samples,)
        By which topic each document's words are drawn: a tenth of the words is ten times as
        frequent in each.
    """
    random = np.random.default_rng(seed)
    y = random.integers(0, n_classes, n_samples)
    lengths = 1 + random.poisson(n_words - 1, n_samples)
    zipf = 1.0 / np.arange(1, n_features + 1)
    words = np.empty(lengths.sum(), np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    for topic in range(n_classes):
        shares = np.cumsum(zipf * np.where(random.random(n_features) < 0.1, 10.0, 1.0))
        for row in np.flatnonzero(y == topic):
            drawn = random.random(lengths[row])
            words[starts[row] : starts[row + 1]] = np.searchsorted(shares / shares[-1], drawn)
    counts = scipy.sparse.csr_array(
        (np.ones(len(words)), words, starts.astype(np.int32)), shape=(n_samples, n_features)
    )
    counts.sum_duplicates()
    return TfidfTransformer().fit_transform(counts).astype(dtype), y


def one_hot(n_samples, n_features, n_classes, *, seed=0, dtype="float64"):
    """Rows near one unit vector each, with labels at random.

    Coefficients of ``distance * identity`` then give logits that are `distance` apart.
    """
    random = np.random.default_rng(seed)
    X = np.eye(n_features, dtype=dtype)[random.integers(0, n_features, n_samples)]
    X += random.normal(0, 0.02, X.shape).astype(dtype)
    return X, random.integers(0, n_classes, n_samples)


def images(path):
    """Images of digits from an npz file of `X`, bytes, and `y`; scaled to 0..1."""
    with np.load(path) as file:
        return file["X"] / 255.0, file["y"].astype(np.int64)
