"""Rows that don't fit in memory: files and other sources that are read block by block.

`open_blocks` opens them. What it gives can be given to estimators in place of X and y.

Examples
--------
>>> import tempfile
>>> from pathlib import Path
>>> import numpy as np
>>> from softreg_fast import SoftmaxClassifier
>>> from softreg_fast.blocks import open_blocks
>>> from sklearn.datasets import make_classification
>>> X, y = make_classification(5_000, random_state=0)
>>> with tempfile.TemporaryDirectory() as folder:
...     np.save(Path(folder) / "X.npy", X)
...     np.save(Path(folder) / "y.npy", y)
...     with open_blocks(f"{folder}/X.npy", target=f"{folder}/y.npy") as rows:
...         model = SoftmaxClassifier().fit(rows)
...         print(f"{model.score(rows):.2f}")
0.95
"""

from .opening import open_blocks
from .rows import RowBlocks

__all__ = ["RowBlocks", "open_blocks"]
