"""Items of an iterator that a thread fetches before they are needed."""

import threading
from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")

_SECONDS_BETWEEN_LOOKS = 0.1
# One in the queue and one in the reader's hand: two ahead.
_MOST_QUEUED = 1


class _End:
    """After the last item: what reading has failed with, if it has."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, of which a thread fetches at most two ahead.

    Raises
    ------
    BaseException
        What reading has failed with, after the items before.
    """
    queue: Queue[Item | _End] = Queue(_MOST_QUEUED)
    is_closed = threading.Event()

    def put(item: Item | _End) -> bool:
        while not is_closed.is_set():
            try:
                queue.put(item, timeout=_SECONDS_BETWEEN_LOOKS)
                return True
            except Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(item):
                    return
                del item
            put(_End())
        except BaseException as error:
            put(_End(error))

    reader = threading.Thread(target=read, name="softreg_fast reader", daemon=True)
    reader.start()
    try:
        while True:
            item = queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item
    finally:
        is_closed.set()
        while reader.is_alive():
            try:
                queue.get_nowait()  # so that nothing is held
            except Empty:
                reader.join(_SECONDS_BETWEEN_LOOKS)
