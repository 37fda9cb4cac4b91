"""Which rows are held out, or are in which fold, by their classes."""

from typing import Any

import numpy as np
import numpy.typing as npt


def ranks_in_classes(codes: npt.NDArray[Any], seed: int) -> npt.NDArray[np.int64]:
    """A random place of each row among those of its class, from 0."""
    order = np.random.default_rng(seed).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    ranks = np.empty(len(codes), np.int64)
    ranks[order] = np.arange(len(codes)) - np.repeat(starts, counts)
    return ranks


def hold_out(codes: npt.NDArray[Any], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which rows are held out: a share of each class, never all of it."""
    counts = np.bincount(codes)
    wanted = np.minimum(np.rint(share * counts).astype(np.int64), counts - 1)
    mask: npt.NDArray[np.bool_] = ranks_in_classes(codes, seed) < wanted[codes]
    return mask


def folds_of(codes: npt.NDArray[Any], n_folds: int, seed: int) -> npt.NDArray[np.int64]:
    """The fold that holds each row out; classes are spread evenly."""
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    folds: npt.NDArray[np.int64] = (ranks_in_classes(codes, seed) + starts[codes]) % n_folds
    return folds
