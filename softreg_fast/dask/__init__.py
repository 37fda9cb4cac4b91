"""Rows on a Dask cluster: fits that workers share, and lazy predictions.

Examples
--------
>>> import dask.array as da
>>> from distributed import Client
>>> from sklearn.datasets import make_classification
>>> from softreg_fast.dask import DaskSoftmaxClassifier
>>> X, y = make_classification(5_000, random_state=0)
>>> X, y = da.from_array(X, chunks=(1_000, -1)), da.from_array(y, chunks=1_000)
>>> with Client(processes=False, dashboard_address=":0") as client:
...     model = DaskSoftmaxClassifier().fit(X, y)
...     print(f"{model.score(X, y):.2f}")
0.95
"""

from .._extras import missing_package

try:
    from .classifier import DaskSoftmaxClassifier
    from .cluster import ClusterError
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("dask", "distributed"):
        raise
    raise missing_package("softreg_fast.dask", error.name, "dask") from error

__all__ = ["ClusterError", "DaskSoftmaxClassifier"]
