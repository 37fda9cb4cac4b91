"""Who is told of a fit: scikit-learn's callbacks (1.9 and later), and who reads lines and bars."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from .._sklearn import has_callbacks
from .._typing import Model
from ..runtime.heartbeat import listening
from ..solvers.observer import Iteration
from .progress import Progress, open_progress

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # an older scikit-learn

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: there are no callbacks to support."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method as it is."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "FitObserver",
    "FitTasks",
    "SearchObserver",
    "with_callbacks",
]


class FitTasks:
    """The task of a fit and those of its parts, of which callbacks are told; see `begin`.

    Parameters
    ----------
    context : object or None
        That of the fit; None if there are no callbacks.
    estimator : estimator
    X, y : array-like
        As they were given.
    metadata : dict
        What else was given to `fit` and is not None.
    name : str, default="iteration"
        Of a part.

    Attributes
    ----------
    are_watched : bool
        Whether there may be callbacks.
    """

    def __init__(
        self,
        context: Any,
        estimator: Any,
        X: Any,
        y: Any,
        metadata: dict[str, Any],
        name: str = "iteration",
    ) -> None:
        self._name = name
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context = context
        self._iteration: Any = None
        self.are_watched = context is not None and has_callbacks(estimator)

    @classmethod
    def begin(
        cls,
        estimator: Any,
        max_parts: int,
        X: Any,
        y: Any,
        metadata: dict[str, Any],
        name: str = "iteration",
    ) -> "FitTasks":
        """Tell that a fit begins, which has some parts at most; `end` tells that it has ended."""
        context = None
        # scikit-learn documents this method for those who write estimators.
        if hasattr(estimator, "_init_callback_context"):
            context = estimator._init_callback_context(max_subtasks=max_parts)
        tasks = cls(context, estimator, X, y, metadata, name)
        if context is not None:
            context.call_on_fit_task_begin(**tasks._data)
        return tasks

    def begin_iteration(self) -> None:
        """Tell that an iteration begins."""
        self._iteration = self._context.subcontext(task_name=self._name)
        self._iteration.call_on_fit_task_begin(**self._data)

    def end_iteration(self, attributes: Callable[[], dict[str, Any]]) -> bool:
        """Tell that it has ended.

        Parameters
        ----------
        attributes : callable
            Gives the attributes that the estimator would have if it were the last iteration.

        Returns
        -------
        bool
            Whether a callback wants the fit to stop.
        """
        iteration, self._iteration = self._iteration, None
        return bool(
            iteration.call_on_fit_task_end(**self._data, reconstruction_attributes=attributes)
        )

    @contextmanager
    def delegate(
        self, name: str, estimator: Any, attributes: Callable[[], dict[str, Any]]
    ) -> Iterator[None]:
        """A part that is the fit of another estimator, to which callbacks are propagated.

        Parameters
        ----------
        name : str
            Of the part.
        estimator : estimator
            The other one.
        attributes : callable
            See `end_iteration`.
        """
        if self._context is None:
            yield
            return
        task = self._context.subcontext(task_name=name)
        with task.propagate_callback_context(estimator):
            task.call_on_fit_task_begin(**self._data)
            yield
        task.call_on_fit_task_end(**self._data, reconstruction_attributes=attributes)

    def end(self, attributes: dict[str, Any]) -> None:
        """Tell that the fit has ended."""
        if self._iteration is not None:
            self.end_iteration(lambda: attributes)
        if self._context is not None:
            self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=attributes)


class _Teller:
    """Tells of a fit by printed lines or by a bar; a context, at whose end the bar's line ends.

    Parameters
    ----------
    verbose : int
        1 shows a bar to who sees it, 2 and more prints lines.
    tasks : FitTasks
    progress : Progress or None
        The bar.
    """

    def __init__(self, verbose: int, tasks: FitTasks, progress: Progress | None) -> None:
        self._prints = verbose > 1
        self._tasks = tasks
        self._progress = progress
        self._context = ExitStack()

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._context.callback(self._progress.close)
            self._context.enter_context(listening(self._progress.beat))
        return self

    def __exit__(self, *exception: object) -> None:
        self._context.close()


class FitObserver(_Teller):
    """Tells of the iterations of a fit: readers, and callbacks.

    Parameters
    ----------
    verbose : int
        See `open_progress`; from 2 on a line is printed for each iteration.
    tasks : FitTasks
    attributes : callable
        Gives, for a model, the attributes of an estimator that has it.
    title : str, default=""
        What is fitted.
    n_epochs : int, default=None
        How many there are at most, if iterations are epochs.
    n_rows : int, default=None
        Rows of an epoch.
    """

    def __init__(
        self,
        verbose: int,
        tasks: FitTasks,
        attributes: Callable[[Model], dict[str, Any]],
        title: str = "",
        n_epochs: int | None = None,
        n_rows: int | None = None,
    ) -> None:
        part = "iteration" if n_epochs is None else "epoch"
        progress = open_progress(verbose, title, part, n_epochs, n_rows=n_rows)
        super().__init__(verbose, tasks, progress)
        self._attributes = attributes
        self._n_iterations = 0
        self._last: tuple[float, float | None] = float("nan"), None
        self._started = time.perf_counter()

    @property
    def is_needed(self) -> bool:
        """Whether anybody wants to know."""
        return self._prints or self._progress is not None or self._tasks.are_watched

    def begin_iteration(self) -> None:
        """See `Observer`."""
        if self._progress is not None:
            self._progress.begin()
        if self._tasks.are_watched:
            self._tasks.begin_iteration()

    def end_iteration(self, iteration: Iteration) -> bool:
        """See `Observer`."""
        self._n_iterations += 1
        if self._prints:
            line = f"iteration {self._n_iterations:4d}  objective {iteration.objective:.6f}"
            if iteration.validation_loss is not None:
                line += f"  validation loss {iteration.validation_loss:.6f}"
            print(f"{line}  {time.perf_counter() - self._started:8.2f} s", flush=True)
        if self._progress is not None:
            self._last = iteration.objective, iteration.validation_loss
            self._progress.advance(lambda: _describe(*self._last, iteration.gap()))
        return self._tasks.are_watched and self._tasks.end_iteration(
            lambda: self._attributes(iteration.model())
        )

    def finish(self, gap: float) -> None:
        """Show how the fit has ended, with its duality gap."""
        if self._progress is not None:
            self._progress.finish(_describe(*self._last, gap))


def _describe(objective: float, validation_loss: float | None, gap: float) -> list[str]:
    values = [f"objective {objective:.6f}"]
    if validation_loss is not None:
        values.insert(0, f"validation loss {validation_loss:.6f}")
    if gap < 1.0:  # else it tells nothing
        values.append(f"gap {gap:.1e}")
    return values


class SearchObserver(_Teller):
    """Tells of the fits of cross-validation: readers, and callbacks.

    Parameters
    ----------
    verbose : int
        See `open_progress`; from 2 on a line is printed for each fit.
    tasks : FitTasks
    n_fits : int
        How many there will be.
    title : str, default=""
        What is searched.
    """

    def __init__(self, verbose: int, tasks: FitTasks, n_fits: int, title: str = "") -> None:
        progress = open_progress(verbose, title, "fit", n_fits, are_certain=True)
        super().__init__(verbose, tasks, progress)
        self._n_left = n_fits

    def begin_fit(self) -> None:
        """The next one begins, if there is one."""
        if self._progress is not None:
            self._progress.begin()
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
        if self._prints:
            print(
                f"C {C:.3e}  l1_ratio {l1_ratio:.2f}  fold {fold}  iterations {n_iterations:4d}",
                flush=True,
            )
        if self._progress is not None:
            self._progress.advance(lambda: [f"C {C:.3g}", f"fold {fold}"])
        if self._tasks.are_watched:
            self._tasks.end_iteration(attributes)
        self.begin_fit()

    def finish(self) -> None:
        """Show that all have ended and are scored."""
        if self._progress is not None:
            self._progress.finish([])
