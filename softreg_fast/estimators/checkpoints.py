"""Checkpoints of fits: what problem they belong to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from .._typing import Model
from ..blocks.learned import learn
from ..blocks.memory import ArraySource
from ..blocks.reader import BlockReader
from ..data.blocked import Block, BlockedProblem
from ..data.checks import check_path
from ..data.problem import Problem
from ..runtime.checkpoint import Checkpoint, key_of

# Parameters that don't change the result; a seed is kept in the file.
_WITHOUT_EFFECT = {"n_threads", "verbose", "random_state", "warm_start", "persist"}
_MOST_CLASSES_SHOWN = 10


def in_blocks(problem: Problem) -> BlockedProblem:
    """The problem with its rows in blocks, which they may be already."""
    if isinstance(problem, BlockedProblem):
        return problem
    problem = problem.as_matrix()
    source = ArraySource(problem.features, problem.targets, problem.sample_weight, "X")
    rows, _ = learn(BlockReader(source, None), np.arange(problem.n_classes))
    return BlockedProblem(
        rows,
        np.zeros(0, np.int32),
        problem.n_classes,
        problem.activation,
        problem.dtype,
        l2_penalty=problem.l2_penalty,
        l1_penalty=problem.l1_penalty,
        is_grouped=problem.is_grouped,
    )


def check_checkpoint(path: Any) -> Path | None:
    """Where a checkpoint is to be, if there is to be one.

    Raises
    ------
    TypeError, ValueError
        It is no path, or that of a folder.
    FileNotFoundError
        There is no such folder.
    """
    if path is None:
        return None
    file = check_path("checkpoint", path)
    if not file.parent.is_dir():
        raise FileNotFoundError(f"checkpoint={str(path)!r}: there is no such folder")
    if file.is_dir():
        raise ValueError(f"checkpoint={str(path)!r} is a folder: it must be the path of a file")
    return file


def open_checkpoint(
    path: Path,
    estimator: Any,
    problem: BlockedProblem,
    classes: npt.NDArray[Any],
    held_out: Problem | None,
    start: Model,
) -> Checkpoint:
    """The checkpoint of a fit.

    Raises
    ------
    ValueError
        There is a file that is no checkpoint of this fit.
    """
    parameters = {
        name: repr(value)
        for name, value in estimator.get_params().items()
        if name not in _WITHOUT_EFFECT
    }
    if isinstance(estimator.random_state, int | np.integer):
        parameters["random_state"] = repr(int(estimator.random_state))
    labels = repr(classes.tolist())
    description = {
        "shape": str(problem.features.shape),
        "dtype": problem.features.dtype.name,
        "classes": labels if len(classes) <= _MOST_CLASSES_SHOWN else _digest(labels),
        **parameters,
        "samples": _digest(problem.rows.map(_Checksum()), problem.class_weights),
        "held-out samples": "none" if held_out is None else _digest_of(held_out),
        "start": _digest(*start),
    }
    return Checkpoint(path, description)


@dataclass(frozen=True)
class _Checksum:
    """What tells a block from others."""

    def __call__(self, block: Block, n_threads: int | None) -> bytes:
        features = block.features
        values = features.data if issparse(features) else features
        return key_of(values.sum(), block.targets, block.weights)


def _digest(*values: Any) -> str:
    return key_of(*values).hex()


def _digest_of(held_out: Problem) -> str:
    if isinstance(held_out, BlockedProblem):
        return _digest(held_out.rows.map(_Checksum()))
    features = held_out.features
    if not isinstance(features, np.ndarray):
        features = held_out.as_matrix().features.data
    return _digest(features, held_out.targets, held_out.weights())
