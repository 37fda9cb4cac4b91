"""Signs of life: who shows a fit's progress is called now and then by work that goes on."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_listeners: list[Callable[[], None]] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_listeners.clear)


def beat() -> None:
    """Tell that work goes on; called before each piece of it, in any thread."""
    for listener in _listeners:
        listener()


@contextmanager
def listening(listener: Callable[[], None]) -> Iterator[None]:
    """Have a listener called while this context lasts: often, so it should be quick."""
    _listeners.append(listener)
    try:
        yield
    finally:
        with suppress(ValueError):  # in a child of this process
            _listeners.remove(listener)
