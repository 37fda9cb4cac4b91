"""Packages that only some features need, which extras install."""


def install_command(extra: str) -> str:
    """What installs an extra, in quotes for shells that read brackets."""
    return f'pip install "softreg-fast[{extra}]"'


def missing_package(purpose: str, package: str | None, extra: str) -> ImportError:
    """The error for a package that something needs and that isn't installed."""
    return ImportError(
        f"{purpose} requires {package}, which isn't installed: {install_command(extra)}"
    )
