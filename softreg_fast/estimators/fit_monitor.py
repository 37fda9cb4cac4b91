"""What happens after each iteration of a fit of the classifier, and each fit of a search."""

import time
from collections.abc import Callable
from typing import Any

from .._typing import Model
from ..solvers.sgd.early_stopping import HeldOut
from .callbacks import FitTasks


class FitMonitor:
    """Prints lines, measures held-out rows and tells callbacks of iterations.

    Parameters
    ----------
    verbose : int
        Whether to print a line for each iteration.
    held_out : HeldOut or None
    tasks : FitTasks
    attributes : callable
        Gives, for a model, the attributes of an estimator that has it.
    """

    def __init__(
        self,
        verbose: int,
        held_out: HeldOut | None,
        tasks: FitTasks,
        attributes: Callable[[Model], dict[str, Any]],
    ) -> None:
        self._verbose = verbose
        self._held_out = held_out
        self._tasks = tasks
        self._attributes = attributes
        self._n_iterations = 0
        self._started = time.perf_counter()
        self.was_stopped_by_callback = False

    @property
    def is_needed(self) -> bool:
        """Whether anybody wants to know."""
        return bool(self._verbose) or self._held_out is not None or self._tasks.are_watched

    def begin_iteration(self) -> None:
        """See `Monitor`."""
        if self._tasks.are_watched:
            self._tasks.begin_iteration()

    def end_iteration(self, objective: float, model: Callable[[], Model]) -> bool:
        """See `Monitor`."""
        self._n_iterations += 1
        line = f"iteration {self._n_iterations:4d}  objective {objective:.6f}"
        stops = False
        if self._held_out is not None:
            loss = self._held_out.evaluate(*model())
            line += f"  validation loss {loss:.6f}"
            stops = self._held_out.should_stop
        if self._verbose:
            print(f"{line}  {time.perf_counter() - self._started:8.2f} s", flush=True)
        if self._tasks.are_watched and self._tasks.end_iteration(lambda: self._attributes(model())):
            self.was_stopped_by_callback = stops = True
        return stops


class SearchMonitor:
    """Prints lines and tells callbacks of the fits of cross-validation.

    Parameters
    ----------
    verbose : int
        Whether to print a line for each fit.
    tasks : FitTasks
    n_fits : int
        How many there will be.
    """

    def __init__(self, verbose: int, tasks: FitTasks, n_fits: int) -> None:
        self._verbose = verbose
        self._tasks = tasks
        self._n_left = n_fits

    def begin_fit(self) -> None:
        """The next one begins, if there is one."""
        if self._n_left and self._tasks.are_watched:
            self._tasks.begin_iteration()

    def end_fit(
        self,
        C: float,
        l1_ratio: float,
        fold: int,
        n_iterations: int,
        attributes: Callable[[], dict[str, Any]],
    ) -> None:
        """It has ended, and the next one begins.

        Parameters
        ----------
        C, l1_ratio : float
        fold, n_iterations : int
        attributes : callable
            Gives the attributes of an estimator that has the model.
        """
        self._n_left -= 1
        if self._verbose:
            print(
                f"C {C:.3e}  l1_ratio {l1_ratio:.2f}  fold {fold}  iterations {n_iterations:4d}",
                flush=True,
            )
        if self._tasks.are_watched:
            self._tasks.end_iteration(attributes)
        self.begin_fit()
