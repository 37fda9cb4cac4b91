"""scikit-learn's callbacks, where the installed scikit-learn has them (1.9 and later)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # an older scikit-learn

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: there are no callbacks to support."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]


class FitTasks:
    """The task of a fit and those of its parts, of which callbacks are told.

    Parameters
    ----------
    estimator : estimator
    max_parts : int
    X, y : array-like
        As they were given.
    metadata : dict
        What else was given to `fit` and is not None.
    name : str, default="iteration"
        Of a part.
    """

    def __init__(
        self,
        estimator: Any,
        max_parts: int,
        X: Any,
        y: Any,
        metadata: dict[str, Any],
        name: str = "iteration",
    ) -> None:
        self._estimator = estimator
        self._name = name
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context: Any = None
        self._iteration: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self._context = estimator._init_callback_context(max_subtasks=max_parts)
            self._context.call_on_fit_task_begin(**self._data)

    @property
    def are_watched(self) -> bool:
        """Whether there are callbacks."""
        return self._context is not None and bool(getattr(self._estimator, "_skl_callbacks", None))

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
