"""``softreg-fast completion``."""

import argparse

NAME = "completion"
HELP = "print a script that completes commands and options in a shell"
_DESCRIPTION = """
Print a script for a shell. For bash: softreg-fast completion bash >
~/.local/share/bash-completion/completions/softreg-fast. For zsh: softreg-fast completion zsh >
DIR/_softreg-fast, where DIR is in $fpath. For fish: softreg-fast completion fish >
~/.config/fish/completions/softreg-fast.fish.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..completion_scripts import make_script

    print(make_script(options.root, options.shell), end="")
    return 0
