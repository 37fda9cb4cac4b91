"""Rounds of chunks, which the threads of a team claim one by one.

Thread 0 *leads*: it opens a round, claims chunks of it like the others, and when there is none left
it waits for those that others have claimed: as long as a chunk has taken it, then it does what is
late again itself. So no thread is needed but the leader: one that never begins, or that has lost
its core, holds nobody up. Whoever computes a chunk, its bits are the same.

A thread writes the results of a chunk to a *buffer* of its own. It hands them in by exchanging that
for the buffer in the chunk's *slot*, by one comparison and exchange of an integer: the number of
the round, whether the slot is empty, and the number of the buffer. If the slot is filled, or of
another round, the results are late and dropped. There are as many buffers as chunks and threads.

A round's description is overwritten only while no chunk can be claimed: who has claimed one has
read the description of that round, and the parameters as they were when it was opened.

The leader can't be helped by a thread that takes its core from it: who finds itself on the leader's
CPU while it waits for a round goes on on another one, and soon sleeps. Who finds that other work
has had its core in the middle of a chunk, and for more than a part of the time that it has helped,
leaves the call.

`shared` is an int64 array of ``SLOTS + n_chunks + 2 * n_threads`` elements:

===============  ===================================================================================
``CALL``         the number of the call that all threads are to be in; 0 if they are to return
``_CLAIMS``      the number of the round, and the chunk that is claimed next
``_ROUND``       the description of the round
``LEADERS_CPU``  where the leader was when it opened the round; -1 if unknown
``CONTENDED``    1 if a thread has left the call because other work has had its core
``CPUS``         a bit for each CPU that threads may use
``SLOTS``        a slot for each chunk; then two elements for each thread, those of the last one
                 first: its own buffer, and its allowance: how long other work may have its core
===============  ===================================================================================
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..compile.entry_point import kernel
from . import N_CPU_WORDS
from .atomic import (
    compare_exchange,
    current_cpu,
    leave_cpu,
    load_shared,
    pause,
    read_clock,
    sleep_briefly,
    store_shared,
)

# What is written often is in cache lines of its own.
CALL, _CLAIMS, _ROUND, LEADERS_CPU, CONTENDED = 0, 8, 16, 21, 22
CPUS = 24
SLOTS = CPUS + N_CPU_WORDS

_CHUNK_BITS = 24
_CHUNK = (1 << _CHUNK_BITS) - 1
# Beyond all chunks: none can be claimed.
_CLOSED = _CHUNK
_BUFFER_BITS = 24
_EMPTY = 1 << _BUFFER_BITS
_BUFFER = _EMPTY - 1
_SLOT_BITS = _BUFFER_BITS + 1

# As long as the leader takes between two rounds, and then some: longer where gradients are large,
# which take it a part of a chunk's time to sum.
_LOOKS_BEFORE_SLEEP = 1024
_WAITS_PER_CHUNK = 2
_LOOKS_PER_READING = 16
_LOOKS_PER_CPU = 64
# Shorter than what a scheduler gives a thread to run.
_TICKS_OF_OTHERS = 1_000_000
_LONG_CHUNKS = 4
# Of the time that a thread helps, other work may take a tenth more without its leaving: little is
# lost by some milliseconds now and then. A neighbour that computes takes more.
_HELP_PER_ALLOWANCE = 10
_MOST_ALLOWANCE = 1 << 24


class Round(NamedTuple):
    """What a round is.

    Attributes
    ----------
    number : int
        From 1.
    n_chunks : int
    start, stop : int
        Positions in the order of the rows.
    epoch, detail : int
        What the entry point makes of them.
    """

    number: Any
    n_chunks: Any
    start: Any
    stop: Any
    epoch: Any
    detail: Any


class Pace(NamedTuple):
    """How a thread gets on with a round; times are those of `atomic.read_clock`.

    Attributes
    ----------
    began : int
        When it began with the round.
    n_taken : int
        Chunks that it has handed in.
    deadline : int
        Until when the leader waits for chunks of others, zero while there are any to be claimed.
    taken_at : int
        When it asked for the last chunk.
    fastest : int
        See `judge_pace`.
    """

    began: Any
    n_taken: Any
    deadline: Any
    taken_at: Any
    fastest: Any


def make_shared(n_chunks: int, n_threads: int) -> npt.NDArray[np.int64]:
    """What the threads of a team share, before the first call."""
    shared = np.zeros(SLOTS + n_chunks + 2 * n_threads, np.int64)
    shared[LEADERS_CPU] = -1
    shared[SLOTS : SLOTS + n_chunks] = np.arange(n_chunks)
    shared[SLOTS + n_chunks :: 2] = np.arange(n_chunks, n_chunks + n_threads)
    return shared


def allowances_of(shared: npt.NDArray[np.int64], n_threads: int) -> npt.NDArray[np.int64]:
    """A view of the threads' allowances, that of the last thread first."""
    return shared[len(shared) - 2 * n_threads + 1 :: 2]


@kernel
def open_round(team, chunk_rows, start, stop, epoch, detail):
    """Describe a round and let its chunks be claimed; the leader's part.

    Parameters
    ----------
    team : Team
    chunk_rows : int
        Of every chunk but the last, which may have fewer. There are no more chunks than slots.
    start, stop, epoch, detail : int
        See `Round`.
    """
    shared = team.shared
    n_chunks = -(-(stop - start) // chunk_rows)
    number = (load_shared(shared, _CLAIMS) >> _CHUNK_BITS) + 1
    store_shared(shared, _CLAIMS, (number - 1) << _CHUNK_BITS | _CLOSED)
    store_shared(shared, _ROUND, n_chunks)
    store_shared(shared, _ROUND + 1, start)
    store_shared(shared, _ROUND + 2, stop)
    store_shared(shared, _ROUND + 3, epoch)
    store_shared(shared, _ROUND + 4, detail)
    if team.n_threads > 1:
        store_shared(shared, LEADERS_CPU, current_cpu())
    for slot in range(SLOTS, SLOTS + n_chunks):
        buffer = load_shared(shared, slot) & _BUFFER
        store_shared(shared, slot, number << _SLOT_BITS | _EMPTY | buffer)
    store_shared(shared, _CLAIMS, number << _CHUNK_BITS)


@kernel
def read_round(team):
    """The description of the round.

    It is that of one round if a chunk of it can be claimed afterwards.
    """
    shared = team.shared
    return Round(
        load_shared(shared, _CLAIMS) >> _CHUNK_BITS,
        load_shared(shared, _ROUND),
        load_shared(shared, _ROUND + 1),
        load_shared(shared, _ROUND + 2),
        load_shared(shared, _ROUND + 3),
        load_shared(shared, _ROUND + 4),
    )


@kernel
def wait_for_round(team, number, fastest):
    """Wait until another round is open than that of a number.

    Parameters
    ----------
    team : Team
    number : int
    fastest : int
        See `judge_pace`.

    Returns
    -------
    bool
        False if the thread is to return: the call is over, or its core is not its own.
    """
    shared = team.shared
    n_looks = 0
    began = read_clock()
    patience = fastest // _WAITS_PER_CHUNK
    while fastest >= 0 and load_shared(shared, CALL) == team.call:
        claims = load_shared(shared, _CLAIMS)
        if claims >> _CHUNK_BITS != number and claims & _CHUNK != _CLOSED:
            return True
        n_looks += 1
        if n_looks % _LOOKS_PER_CPU == 0:
            cpu = current_cpu()
            if cpu >= 0 and cpu == load_shared(shared, LEADERS_CPU):
                leave_cpu(shared, CPUS)
                n_looks = _LOOKS_BEFORE_SLEEP
                patience = 0
        if n_looks < _LOOKS_BEFORE_SLEEP or read_clock() - began < patience:
            pause()
        else:
            sleep_briefly()
    return False


@kernel
def _claim_chunk(team, round):
    """A chunk of the round that is this thread's from now on; -1 if there is none left."""
    shared = team.shared
    claims = load_shared(shared, _CLAIMS)
    while claims >> _CHUNK_BITS == round.number and claims & _CHUNK < round.n_chunks:
        if team.n_threads == 1:
            store_shared(shared, _CLAIMS, claims + 1)
            return claims & _CHUNK
        if compare_exchange(shared, _CLAIMS, claims, claims + 1):
            return claims & _CHUNK
        claims = load_shared(shared, _CLAIMS)
    return -1


@kernel
def judge_pace(team, taken_at, fastest):
    """Whether the core of a thread that helps is its own; to be asked when a chunk is done.

    Parameters
    ----------
    team : Team
    taken_at : int
        When the chunk was taken; see `atomic.read_clock`.
    fastest : int
        What it gave for the chunk before; 0 for the first.

    Returns
    -------
    int
        How long the fastest chunk has taken; -1 if this one has taken so much longer that other
        work must have had the core meanwhile, for more than the thread's allowance.
    """
    if team.thread == 0:
        # Whatever else its core does, it goes on.
        return fastest
    taken = max(read_clock() - taken_at, 1)
    if fastest == 0:
        return taken
    place = len(team.shared) - 1 - 2 * team.thread
    allowance = load_shared(team.shared, place)
    if taken > _LONG_CHUNKS * fastest and taken > _TICKS_OF_OTHERS:
        allowance -= taken - fastest
        if allowance < 0:
            store_shared(team.shared, place, 0)
            store_shared(team.shared, CONTENDED, 1)
            return -1
    else:
        allowance = min(allowance + taken // _HELP_PER_ALLOWANCE, _MOST_ALLOWANCE)
    store_shared(team.shared, place, allowance)
    return min(taken, fastest)


@kernel
def own_buffer(team):
    """The number of the buffer that the thread may write to."""
    return load_shared(team.shared, len(team.shared) - 2 - 2 * team.thread)


@kernel
def hand_in(team, round, chunk, buffer, pace):
    """Hand in the results of a chunk, unless the slot is filled or of another round.

    Parameters
    ----------
    team : Team
    round : Round
    chunk : int
    buffer : int
        The thread's own, which holds the results. It is exchanged for another.
    pace : Pace

    Returns
    -------
    Pace
    """
    shared = team.shared
    slot = load_shared(shared, SLOTS + chunk)
    empty = round.number << _SLOT_BITS | _EMPTY | slot & _BUFFER
    if compare_exchange(shared, SLOTS + chunk, empty, round.number << _SLOT_BITS | buffer):
        store_shared(shared, len(shared) - 2 - 2 * team.thread, slot & _BUFFER)
    fastest = judge_pace(team, pace.taken_at, pace.fastest)
    return Pace(pace.began, pace.n_taken + 1, pace.deadline, pace.taken_at, fastest)


@kernel
def buffer_of(shared, chunk):
    """The number of the buffer with the results of a chunk, which have been handed in."""
    return shared[SLOTS + chunk] & _BUFFER


@kernel
def _wait_for_chunks(team, n_chunks, deadline):
    """Wait until all chunks are handed in or a time has come; one that isn't, -1 if all are."""
    shared = team.shared
    for chunk in range(n_chunks):
        n_looks = 0
        while load_shared(shared, SLOTS + chunk) & _EMPTY != 0:
            if n_looks % _LOOKS_PER_READING == 0 and read_clock() >= deadline:
                return chunk
            n_looks += 1
            pause()
    return -1


@kernel
def begin_pace(team, fastest):
    """The pace at the beginning of a round; `fastest` is that of the round before, 0 at first."""
    began = read_clock() if team.n_threads > 1 else 0
    return Pace(began, 0, 0, 0, fastest)


@kernel
def take_chunk(team, round, pace):
    """The next chunk that the thread is to work on.

    Parameters
    ----------
    team : Team
    round : Round
    pace : Pace

    Returns
    -------
    chunk : int
        -1 if there is none: for the leader, when all are handed in.
    pace : Pace
    """
    if pace.fastest < 0:
        return -1, pace
    chunk = _claim_chunk(team, round)
    if team.n_threads == 1:
        return chunk, pace
    now = read_clock()
    deadline = pace.deadline
    if chunk < 0 and team.thread == 0:
        if deadline == 0:
            # As long again as a chunk has taken, on average, and half of that.
            deadline = now + 3 * (now - pace.began) // (2 * max(pace.n_taken, 1))
        chunk = _wait_for_chunks(team, round.n_chunks, deadline)
    return chunk, Pace(pace.began, pace.n_taken, deadline, now, pace.fastest)
