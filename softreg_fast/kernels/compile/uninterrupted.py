"""Steps of Numba's compiler that no interrupt and no fork comes between.

Numba's contexts, which know all functions that can be compiled, are filled from iterators that can
be read once. An exception in the middle, such as that of Ctrl-C, leaves a process that can never
compile again. Python calls handlers of signals in the main thread alone, so these steps run in a
thread of their own. Whoever waits for it can be interrupted; the step goes on, what it makes is
kept, and the next step waits for its end.

All steps hold Numba's own lock. A fork waits for that lock: a child has neither a lock whose owner
it lacks nor contexts that are half filled.
"""

import contextvars
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from . import numba_adapter
from .mode import jit_as_at_import
from .numba_adapter import compiler_lock
from .watch import compiler_watch

Result = TypeVar("Result")

# Seconds after which a waiting thread looks for interrupts: those of Windows don't end a wait.
_SECONDS_OF_WAIT = 0.2
# LLVM needs more than the threads of some systems and programs have.
_STACK_BYTES = 16 * 2**20


@contextmanager
def _quiet_loggers() -> Iterator[None]:
    """Numba's loggers are silent about details, unless their user has given them a level.

    Where the root logger shows everything, compiling a kernel takes thousands of records.
    """
    logger = logging.getLogger("numba")
    is_set = logger.level == logging.NOTSET and logger.getEffectiveLevel() < logging.WARNING
    if is_set:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        if is_set and logger.level == logging.WARNING:
            logger.setLevel(logging.NOTSET)


@contextmanager
def _absolute_paths() -> Iterator[None]:
    """Where the working folder is no longer there, Numba's messages don't name files from it on."""
    try:
        Path.cwd()
    except OSError:
        with numba_adapter.absolute_paths():
            yield
    else:
        yield


def _step(function: Callable[[], Result]) -> Result:
    with compiler_lock, _quiet_loggers(), jit_as_at_import(), _absolute_paths():
        return function()


def call_uninterrupted(function: Callable[[], Result]) -> Result:
    """The result of ``function()``, which is called in a thread of its own.

    An exception that reaches the calling thread meanwhile is raised there at once. The function
    goes on all the same.

    Parameters
    ----------
    function : callable
        Holds Numba's lock while it runs.
    """
    if compiler_lock.is_locked():  # by this thread, for which another would wait for ever
        return _step(function)
    future: Future[Result] = Future()
    is_done = threading.Event()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            future.set_result(context.run(_step, function))
        except BaseException as exception:
            future.set_exception(exception)
        finally:
            is_done.set()

    thread = threading.Thread(target=work, name="softreg_fast compiler")
    stack_bytes = threading.stack_size()
    try:
        threading.stack_size(_STACK_BYTES)
        thread.start()
    except RuntimeError:  # none is to be had, since the interpreter ends or the system has no more
        return _step(function)
    finally:
        threading.stack_size(stack_bytes)
    while not is_done.wait(_SECONDS_OF_WAIT):
        compiler_watch.look()
    return future.result()


@cache
def fill_contexts() -> None:
    """Have Numba's contexts filled with all functions that are known by now."""
    call_uninterrupted(numba_adapter.fill_contexts)


class _Fork(threading.local):
    """Whether this thread, which forks, has asked for the lock."""

    has_asked = False


_fork = _Fork()


def _before_fork() -> None:
    _fork.has_asked = not compiler_lock.is_locked()
    if _fork.has_asked:
        compiler_lock.acquire()


def _after_fork() -> None:
    # Where an interrupt has come first, the lock isn't there.
    if _fork.has_asked and compiler_lock.is_locked():
        compiler_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
