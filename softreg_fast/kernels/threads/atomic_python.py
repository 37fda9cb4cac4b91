"""The operations of `atomic_llvm.py` in Python, for when Numba's JIT is switched off."""

import threading
import time

_LOCK = threading.Lock()


def compare_exchange(array, index, expected, value):
    with _LOCK:
        is_expected = int(array[index]) == expected
        if is_expected:
            array[index] = value
    return is_expected


def load_shared(array, index):
    with _LOCK:
        return int(array[index])


def store_shared(array, index, value):
    with _LOCK:
        array[index] = value


def pause():
    time.sleep(0)


def current_cpu():
    return 0  # of the threads, one runs at a time


def leave_cpu(array, start):
    pass


def sleep_briefly():
    time.sleep(1e-4)


def read_clock():
    return time.monotonic_ns()
