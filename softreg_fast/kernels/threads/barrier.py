"""Threads that run the same kernel and wait for each other.

`team` is an int64 array of `TEAM_SIZE` elements, zero before each call of the kernel:

=============  =====================================================================================
``_ARRIVED``   how many threads have arrived at the barrier
``_PASSED``    how often the barrier has been passed
``_BEGUN``     how many threads have begun with the kernel
``ABANDONED``  not 0 if all threads are to return: `GIVEN_UP` is stored there from outside,
               `LATE` by a thread that has waited too long
=============  =====================================================================================

A kernel calls `begin_with_team` first and `wait_for_team` where no thread may go on before all have
come there. Once that gives False in a thread, it does nothing more than return; what it leaves is
of no use.

A thread that has begun computes and comes to the next barrier, however long that takes: it is
waited for without end. One that never begins, since it doesn't run or Python holds it back, would
be waited for in vain: after `_LONGEST_WAIT` milliseconds the team is late. Time in which the
waiting thread itself doesn't run, since the process is stopped or the computer sleeps, hardly
counts.
"""

from ..compile.entry_point import kernel
from .atomic import fetch_add, let_others_run, load_shared, pause, read_clock, store_shared

_ARRIVED, _PASSED, ABANDONED, _BEGUN = 0, 8, 16, 24  # in cache lines of their own
TEAM_SIZE = 32

GIVEN_UP, LATE = 1, 2

# Longer than a thread that runs ever takes from one barrier to the next by much; a thread that
# doesn't run gets a core.
_PATIENCE = 4096

_LONGEST_WAIT = 10_000
# Of what the clock has gone on since it was read last, no more counts as waiting.
_LONGEST_STEP = 100


@kernel
def begin_with_team(team):
    """Tell the others that this thread has begun with the kernel.

    Parameters
    ----------
    team : (TEAM_SIZE,) int64
    """
    fetch_add(team, _BEGUN, 1)


@kernel
def wait_for_team(team, n_threads):
    """Wait until all threads have come here.

    Parameters
    ----------
    team : (TEAM_SIZE,) int64
    n_threads : int

    Returns
    -------
    bool
        False if the team is abandoned: nobody must go on.
    """
    if n_threads == 1:
        return True
    passed = load_shared(team, _PASSED)
    if fetch_add(team, _ARRIVED, 1) == n_threads - 1:
        store_shared(team, _ARRIVED, 0)
        store_shared(team, _PASSED, passed + 1)
        return True
    n_looks = 0
    waited = 0
    clock = 0
    while load_shared(team, _PASSED) == passed:
        if load_shared(team, ABANDONED) != 0:
            return False
        n_looks += 1
        if n_looks < _PATIENCE:
            pause()
            continue
        let_others_run()
        if load_shared(team, _BEGUN) < n_threads:
            now = read_clock()
            if clock != 0:
                waited += min(now - clock, _LONGEST_STEP)
            clock = now
            if waited > _LONGEST_WAIT:
                store_shared(team, ABANDONED, LATE)
    return True
