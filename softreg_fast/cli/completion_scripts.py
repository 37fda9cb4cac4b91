"""Scripts that complete commands and options in shells, made from the parser."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class _Option:
    """An option of a command.

    Attributes
    ----------
    names : tuple of str
    text : str
    choices : tuple of str
        Its values, if these are all.
    takes_value : bool
    """

    names: tuple[str, ...]
    text: str
    choices: tuple[str, ...]
    takes_value: bool


@dataclass(frozen=True)
class _Command:
    name: str
    text: str
    options: tuple[_Option, ...]
    words: tuple[str, ...]


def make_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script for a shell.

    Parameters
    ----------
    parser : ArgumentParser
        With subparsers.
    shell : {"bash", "zsh", "fish"}
    """
    commands = list(_commands(parser))
    makers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return makers[shell](parser.prog, commands)


def _commands(parser: argparse.ArgumentParser) -> Iterator[_Command]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        texts = {each.dest: each.help or "" for each in action._choices_actions}
        for name, own in action.choices.items():
            options = tuple(_options(own))
            words = tuple(
                str(choice)
                for each in own._actions
                if not each.option_strings
                for choice in each.choices or ()
            )
            yield _Command(name, texts.get(name, ""), options, words)


def _options(parser: argparse.ArgumentParser) -> Iterator[_Option]:
    for action in parser._actions:
        if action.option_strings:
            choices = tuple(str(choice) for choice in action.choices or ())
            text = (action.help or "").replace("%%", "%")
            yield _Option(tuple(action.option_strings), text, choices, action.nargs != 0)


def _quoted(text: str) -> str:
    """In single quotes of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _bash(prog: str, commands: list[_Command]) -> str:
    function = "_" + prog.replace("-", "_")
    lines = [
        f"# bash completion of {prog}",
        f"{function}() {{",
        '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words=""',
        "    COMPREPLY=()",
        '    if [ "$COMP_CWORD" -eq 1 ]; then',
        f"        words={_quoted(' '.join(['--help', '--version', *(c.name for c in commands)]))}",
        "    else",
        '        case "${COMP_WORDS[1]} $before" in',
    ]
    for command in commands:
        for option in command.options:
            for name in option.names if option.choices else ():
                values = _quoted(" ".join(option.choices))
                lines.append(f"            {_quoted(f'{command.name} {name}')}) words={values} ;;")
    lines += [
        "        esac",
        # Where no option begins, bash itself completes the names of files.
        '        if [ -z "$words" ] && [ "${word#-}" != "$word" ]; then',
        '            case "${COMP_WORDS[1]}" in',
    ]
    for command in commands:
        names = _quoted(" ".join(name for option in command.options for name in option.names))
        lines.append(f"                {command.name}) words={names} ;;")
    lines += [
        "            esac",
        '        elif [ -z "$words" ]; then',
        '            case "${COMP_WORDS[1]}" in',
    ]
    for command in commands:
        if command.words:
            words = _quoted(" ".join(command.words))
            lines.append(f"                {command.name}) words={words} ;;")
    lines += [
        "            esac",
        "        fi",
        "    fi",
        '    COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "}",
        f"complete -o default -F {function} {prog}",
        "",
    ]
    return "\n".join(lines)


def _zsh(prog: str, commands: list[_Command]) -> str:
    lines = [f"#compdef {prog}", "", "local -a commands", "commands=("]
    lines += [f"    {_quoted(f'{each.name}:{each.text}')}" for each in commands]
    lines += [
        ")",
        "if (( CURRENT == 2 )); then",
        "    _describe -t commands command commands",
        "    compadd -- --help --version",
        "    return",
        "fi",
        'case "$words[2]" in',
    ]
    for command in commands:
        specs = []
        for option in command.options:
            # Colons and brackets mean something in descriptions.
            text = "".join("\\" + each if each in "[]:" else each for each in option.text)
            value = ""
            if option.takes_value:
                value = (
                    f":value:({' '.join(option.choices)})" if option.choices else ":value:_files"
                )
            specs += [_quoted(f"*{name}[{text}]{value}") for name in option.names]
        rest = f"*:argument:({' '.join(command.words)})" if command.words else "*:file:_files"
        lines.append(f"    {command.name})")
        lines.append("        shift words; (( CURRENT-- ))")
        lines.append("        _arguments \\")
        lines += [f"            {spec} \\" for spec in specs]
        lines += [f"            {_quoted(rest)}", "        ;;"]
    return "\n".join([*lines, "esac", ""])


def _fish(prog: str, commands: list[_Command]) -> str:
    start = f"complete -c {prog}"
    lines = [f"# fish completion of {prog}"]
    lines += [
        f"{start} -n __fish_use_subcommand -f -a {each.name} -d {_fish_quoted(each.text)}"
        for each in commands
    ]
    lines.append(f"{start} -n __fish_use_subcommand -f -l help")
    lines.append(f"{start} -n __fish_use_subcommand -f -l version")
    for command in commands:
        own = f"{start} -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            parts = [
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            ]
            if option.choices:
                parts.append(f"-x -a {_fish_quoted(' '.join(option.choices))}")
            elif option.takes_value:
                parts.append("-r")
            lines.append(f"{own} {' '.join(parts)} -d {_fish_quoted(option.text)}")
        if command.words:
            lines.append(f"{own} -f -a {_fish_quoted(' '.join(command.words))}")
    return "\n".join([*lines, ""])


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
