"""The operations of `atomic_llvm.py` in Python, for when Numba's JIT is switched off."""

import threading
import time

_LOCK = threading.Lock()


def fetch_add(array, index, value):
    with _LOCK:
        before = int(array[index])
        array[index] = before + value
    return before


def load_shared(array, index):
    with _LOCK:
        return int(array[index])


def store_shared(array, index, value):
    with _LOCK:
        array[index] = value


def pause():
    pass


def let_others_run():
    time.sleep(0)


def read_clock():
    return int(1000 * time.monotonic())
