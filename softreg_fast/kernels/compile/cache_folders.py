"""Where compiled code is kept: folders, and who may write to them.

Files that are read here are executed. A folder in the user's hands is taken as it is, like the
`__pycache__` of other packages. A folder in a place where everybody can make one is not: whose it
and its files are, and who can write to them, is looked at on the open file at every read.
"""

import os
import stat
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from numba import config

KERNELS_FOLDER = Path(__file__).parent.parent

_ONLY_THE_USERS = 0o700
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

# Those that a system doesn't have are needless there. A pipe in the place of a file is not waited
# for.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_LINK


def _make(folder: Path, permissions: int) -> None:
    """Make a folder, and those that it is in, with these permissions."""
    try:
        folder.mkdir(permissions)
    except FileExistsError:
        return
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        _make(folder.parent, permissions)
        folder.mkdir(permissions, exist_ok=True)
    if os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) & 0o777 != permissions:
        folder.chmod(permissions)  # the umask has taken some away


class CacheFolder:
    """A folder of compiled code; what fails raises OSError.

    Parameters
    ----------
    path : Path
    permissions : int, default=0o700
        Of the folder where it has to be made. Files have the same without the right to execute.
    """

    def __init__(self, path: Path, permissions: int = _ONLY_THE_USERS) -> None:
        self.path = path
        self._permissions = permissions

    def make(self) -> None:
        """Make it if it isn't there."""
        _make(self.path, self._permissions)

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """A descriptor of the folder that names are relative to; None for the path itself."""
        yield None

    def _name_in(self, descriptor: int | None, name: str) -> str:
        return str(self.path / name) if descriptor is None else name

    def _check(self, status: os.stat_result) -> None:
        """Raise OSError if a file, by the status of the open one, must not be read."""
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(f"{self.path} has something else in the place of a file")

    def read(self, name: str) -> bytes:
        """The content of a file."""
        with self._opened() as folder:
            flags = _READ | (0 if folder is None else _NO_LINK)
            descriptor = os.open(self._name_in(folder, name), flags, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                self._check(os.fstat(descriptor))
                return file.read()

    def write(self, name: str, content: bytes) -> None:
        """Make a file, or put another in its place, at once."""
        self.make()
        with self._opened() as folder:
            temporary = self._name_in(folder, f"{name}.{uuid.uuid4().hex}")
            target = self._name_in(folder, name)
            permissions = self._permissions & 0o666
            descriptor = os.open(temporary, _CREATE | _NO_LINK, permissions, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    if hasattr(os, "fchmod"):
                        os.fchmod(descriptor, permissions)
                    file.write(content)
                try:
                    os.replace(temporary, target, src_dir_fd=folder, dst_dir_fd=folder)
                except OSError:
                    # An empty folder may be in its place.
                    os.rmdir(target, dir_fd=folder)
                    os.replace(temporary, target, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that can't be stay."""
        for name in names:
            with suppress(OSError):
                (self.path / name).unlink()

    def can_be_written(self) -> bool:
        """Whether a file can be made there; tried once."""
        probe = f"probe.{uuid.uuid4().hex}"
        try:
            self.write(probe, b"")
        except OSError:
            return False
        self.remove([probe])
        return True


class PrivateFolder(CacheFolder):
    """A folder where every user can make folders; nobody else's is read or written."""

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        descriptor = os.open(self.path, _FOLDER)
        try:
            self._check_owner(os.fstat(descriptor))
            yield descriptor
        finally:
            os.close(descriptor)

    def _check(self, status: os.stat_result) -> None:
        super()._check(status)
        self._check_owner(status)

    def _check_owner(self, status: os.stat_result) -> None:
        if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
            raise PermissionError(f"others can write to {self.path} or to files in it")


def _beside_the_kernels() -> CacheFolder:
    """As Python's own: those who can read the sources can read it, and no others can write."""
    permissions = _ONLY_THE_USERS
    with suppress(OSError):
        permissions |= stat.S_IMODE(KERNELS_FOLDER.stat().st_mode) & 0o755
    return CacheFolder(KERNELS_FOLDER / "__pycache__", permissions)


_only: list[CacheFolder] = []


def built_root() -> Path:
    """The folder of all code that was made ahead of time."""
    return KERNELS_FOLDER / "built"


def built_folder(cpu: str) -> CacheFolder:
    """Where code lies that was made ahead of time for a CPU or a level."""
    return _only[0] if _only else CacheFolder(built_root() / cpu)


def _named_by_numba() -> CacheFolder | None:
    if not config.CACHE_DIR:
        return None
    try:
        return CacheFolder(Path(config.CACHE_DIR).absolute() / "softreg_fast")
    except OSError:  # it is relative to a folder that is no longer there
        return None


def users_cache() -> Path:
    """Numba's folder among the user's caches, where the system keeps them."""
    place = "~/.cache/numba"
    if sys.platform == "win32":
        place = os.environ.get("LOCALAPPDATA", "~/AppData/Local") + "/numba/Cache"
    elif sys.platform == "darwin":
        place = "~/Library/Caches/numba"
    elif os.environ.get("XDG_CACHE_HOME"):
        place = os.environ["XDG_CACHE_HOME"] + "/numba"
    with suppress(RuntimeError):  # there is no home
        return Path(place).expanduser()
    return Path(place)


def _in_the_users_cache() -> CacheFolder | None:
    folder = users_cache() / "softreg_fast"
    # Without a home it is a relative path, which would depend on the working folder.
    return CacheFolder(folder) if folder.is_absolute() else None


def _in_the_temporary_folder() -> CacheFolder | None:
    """None where it can't be told whose a folder is."""
    if not hasattr(os, "geteuid") or os.open not in os.supports_dir_fd:
        return None
    try:
        temporary = Path(tempfile.gettempdir()).absolute()
    except OSError:
        return None
    return PrivateFolder(temporary / f"softreg_fast-{os.geteuid()}")


@cache
def cache_folders() -> tuple[CacheFolder, ...]:
    """Where compiled code is looked for first, in this order.

    `NUMBA_CACHE_DIR`, the `__pycache__` beside the kernels, Numba's folder in the user's cache.
    """
    if _only:
        return tuple(_only)
    folders = _named_by_numba(), _beside_the_kernels(), _in_the_users_cache()
    return tuple(folder for folder in folders if folder is not None)


@cache
def writable_folders() -> tuple[CacheFolder, ...]:
    """Where compiled code can be kept: the first place that takes it.

    Where none of `cache_folders` can be written, it is one in the system's temporary folder, or
    nothing.
    """
    folders = cache_folders()
    for place, folder in enumerate(folders):
        if folder.can_be_written():
            return folders[place:]
    temporary = _in_the_temporary_folder()
    return (temporary,) if temporary is not None and temporary.can_be_written() else ()


def keep_in(path: Path) -> None:
    """Look for compiled code and keep it in this folder alone, from now on in this process."""
    _only[:] = [CacheFolder(path)]
    cache_folders.cache_clear()
    writable_folders.cache_clear()
