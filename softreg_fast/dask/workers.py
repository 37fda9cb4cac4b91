"""Whether workers calculate what the client would."""

from dataclasses import dataclass
from typing import Any

import numba

from .. import __version__
from .._warning import warn_caller
from ..kernels.simd.cpu import filled_target
from .cluster import Cluster


@dataclass(frozen=True)
class Description:
    """What the results of kernels depend on.

    Attributes
    ----------
    version : str
        Of this package.
    numba : str
        Version.
    cpu : tuple of str
        What kernels are compiled for.
    """

    version: str
    numba: str
    cpu: tuple[str, ...]


def describe() -> Description:
    """What the results of this process depend on."""
    target = filled_target()
    return Description(__version__, numba.__version__, tuple(str(part) for part in target))


def check_workers(cluster: Cluster) -> None:
    """See `check_descriptions`; asks all workers there are."""
    check_descriptions(cluster.run(describe))


def check_descriptions(found: dict[str, Any]) -> None:
    """Warn if workers may give other bits than others.

    Parameters
    ----------
    found : dict
        Descriptions by the workers' addresses, or errors that workers raise.

    Raises
    ------
    RuntimeError
        Some lack this package, or have another version of it.
    """
    wrong = {}
    known: dict[str, Description] = {}
    for address, answer in found.items():
        if isinstance(answer, Description):
            known[address] = answer
            if answer.version != __version__:
                wrong[address] = f"version {answer.version}"
        elif isinstance(answer, ImportError | AttributeError):
            wrong[address] = f"no softreg_fast.dask ({answer})"
        elif not isinstance(answer, OSError):  # which a worker that has just left gives
            raise answer
    if wrong:
        named = ", ".join(f"{address}: {problem}" for address, problem in sorted(wrong.items()))
        raise RuntimeError(
            f"workers have another softreg_fast than the client's version {__version__}: {named}; "
            "install the same version everywhere"
        )
    for name, values in (
        ("CPUs", {each.cpu for each in known.values()}),
        ("versions of Numba", {each.numba for each in known.values()}),
    ):
        if len(values) > 1:
            warn_caller(
                f"the workers have {len(values)} different {name}: results may have other bits "
                "each time, by which of them a block is on",
                UserWarning,
            )
