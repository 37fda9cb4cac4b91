"""Fits by adelie, called in a process of its own; nothing else is imported that needs more."""

import adelie
import numpy as np
import scipy.sparse

_here = {}


def take(path):
    """Keep features and labels from a file."""
    with np.load(path) as given:
        y = given["y"]
        if "X" in given:
            X = np.asfortranarray(given["X"], np.float64)
            _here["rows"] = lambda n_threads: adelie.matrix.dense(X, n_threads=n_threads)
        else:
            X = scipy.sparse.csc_matrix(
                (given["values"].astype(np.float64), given["places"], given["pointers"]),
                shape=tuple(given["shape"]),
            )
            _here["rows"] = lambda n_threads: adelie.matrix.sparse(X, n_threads=n_threads)
    _here["n_features"], _here["n_classes"] = X.shape[1], int(y.max()) + 1
    if _here["n_classes"] == 2:
        _here["glm"] = adelie.glm.binomial(y.astype(np.float64))
    else:
        _here["glm"] = adelie.glm.multinomial(np.eye(_here["n_classes"])[y])
    # adelie's loss is divided by the rows, and by the classes if there are several.
    _here["divisor"] = len(y) * (1 if _here["n_classes"] == 2 else _here["n_classes"])


def fit(C, l1_ratio, tolerance, fit_intercept, n_threads):
    """Fit one model, from nothing."""
    _here["state"] = adelie.grpnet(
        X=_here["rows"](n_threads), glm=_here["glm"], alpha=l1_ratio, intercept=fit_intercept,
        penalty=np.ones(_here["n_features"]), lmda_path=[1.0 / (C * _here["divisor"])],
        early_exit=False, tol=tolerance, irls_tol=tolerance, adev_tol=1.0, ddev_tol=0.0,
        max_iters=1_000_000, irls_max_iters=100_000, n_threads=n_threads, progress_bar=False,
    )  # fmt: skip


def write(path):
    """Write the last model to a file."""
    state, n_columns = _here["state"], 1 if _here["n_classes"] == 2 else _here["n_classes"]
    coef = state.betas.toarray()[-1].reshape(_here["n_features"], n_columns).T
    np.savez(path, coef=coef, intercept=np.reshape(state.intercepts[-1], -1))
