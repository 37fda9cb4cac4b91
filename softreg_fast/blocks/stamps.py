"""Whether a file is still the one that was opened."""

from pathlib import Path


class Stamp:
    """The size of a file and the time at which it was last written.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._look()

    def _look(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_size, found.st_mtime_ns

    def check(self) -> None:
        """Raise ValueError if they are others than before."""
        if self._look() != self._known:
            raise ValueError(
                f"{self._path} was written after it had been opened: open it again with "
                "open_blocks, since labels and numbers of rows may be others"
            )
