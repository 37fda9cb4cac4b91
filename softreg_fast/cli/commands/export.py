"""``softreg-fast export``."""

import argparse

from ..parsing import add_columns

NAME = "export"
HELP = "write a model as Python, C, SQL, JSON or ONNX"
_DESCRIPTION = """
Write a model of "softreg-fast train" as a source that needs nothing of this package, or for ONNX.
It takes columns as they are after preparation: missing numbers filled, booleans as "true" and
"false", texts without spaces around them. What to fill is said on standard error. ONNX takes
numbers as one matrix of float64; of a model with categories, it takes each column by its name, with
shape (rows, 1), as float64 or strings.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.add_argument("model", metavar="MODEL", help='of "softreg-fast train"')
    parser.add_argument("--format", required=True, choices=["python", "c", "json", "sql", "onnx"])
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="to write; - is standard output"
    )
    sql = parser.add_argument_group("SQL")
    sql.add_argument("--table", metavar="NAME", help="of the table with the features")
    sql.add_argument(
        "--dialect", choices=["sqlite", "duckdb"], default="sqlite", help="default: sqlite"
    )
    add_columns(sql, "--id", "columns of the table to have beside the predictions")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    import sys
    from pathlib import Path

    from ...persistence.replacing import replacing
    from ..console import Console
    from ..errors import UserError
    from ..exporting import export, notes_of
    from ..model_files import load_model
    from ..outputs import check_output, check_standard_output

    if options.format == "sql" and options.table is None:
        raise UserError("--format sql needs --table NAME, the table with the features")
    if options.format != "sql" and (options.table is not None or options.id):
        raise UserError(f"--table and --id are not allowed with --format {options.format}")
    output = None
    if options.output == "-":
        check_standard_output()
    else:
        output = check_output("-o", options.output, (options.model,))
    model, table, _ = load_model(Path(options.model))
    content = export(
        model, table, options.format, options.table, options.dialect, tuple(options.id)
    )
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        with replacing(output) as beside:
            beside.write_bytes(content)
    console = Console(is_json=True)
    for note in notes_of(table):
        console.note(note)
    return 0
