"""The command ``softreg-fast``."""

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from .. import __version__
from .commands import (
    build_kernels,
    completion,
    demo,
    doctor,
    evaluate,
    explain,
    export,
    predict,
    train,
    warm_up,
)
from .parsing import Parser, unrecognized

_COMMANDS = (
    train, predict, evaluate, explain, export, doctor, demo, warm_up, build_kernels, completion,
)  # fmt: skip


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; nothing that is slow to import is imported."""
    parser = Parser(prog="softreg-fast", description="Softmax regression on compiled kernels.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        own = commands.add_parser(command.NAME, help=command.HELP)
        command.add_arguments(own)
        own.set_defaults(parser=own, root=parser, run=command.run)
    return parser


def _prepare_streams() -> None:
    """Have standard output take all characters, and streams be there that have been closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            file = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(file, "w", encoding="utf-8"))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        None is the arguments of the process.

    Returns
    -------
    int
        The exit status: 0, or 1 if the command ran and the answer is bad, or 130 if it was
        interrupted. Mistakes of the user leave by `SystemExit` with status 2 and a line on
        standard error.
    """
    _prepare_streams()
    options, others = make_parser().parse_known_args(arguments)
    if others:
        options.parser.error(unrecognized(options.parser, others))
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        options.parser.error(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return int(status)
