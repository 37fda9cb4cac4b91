"""Threads that run the same kernel and wait for each other.

`team` is an int64 array of `TEAM_SIZE` elements, zero at first: how many threads have arrived at
the barrier, how often it has been passed, and whether the team is to give up.
"""

from .atomic import fetch_add, let_others_run, load_shared, pause, store_shared
from .jit import kernel

_ARRIVED, _PASSED, ABANDONED = 0, 8, 16  # in cache lines of their own
TEAM_SIZE = 24

# Longer than a thread that runs ever takes from one barrier to the next by much; a thread that
# doesn't run gets a core.
_PATIENCE = 4096


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
        False if somebody has abandoned the team: nobody must go on.
    """
    if n_threads == 1:
        return True
    passed = load_shared(team, _PASSED)
    if fetch_add(team, _ARRIVED, 1) == n_threads - 1:
        store_shared(team, _ARRIVED, 0)
        store_shared(team, _PASSED, passed + 1)
        return True
    waited = 0
    while load_shared(team, _PASSED) == passed:
        if load_shared(team, ABANDONED) != 0:
            return False
        waited += 1
        if waited < _PATIENCE:
            pause()
        else:
            let_others_run()
    return True
