"""``softreg-fast predict``."""

import argparse

from ..parsing import add_columns, add_data

NAME = "predict"
HELP = "predict the rows of a table"
_DESCRIPTION = """
Predict the rows of a table by a model of "softreg-fast train". Columns are found by their names.
Rows are read in batches, and may take more room than there is memory.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.usage = "%(prog)s MODEL DATA -o OUT [options]"
    parser.add_argument("model", metavar="MODEL", help='of "softreg-fast train"')
    add_data(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT",
        help="file to write, .csv or .parquet; - is standard output, as CSV",
    )  # fmt: skip
    parser.add_argument(
        "--proba", action="store_true", help="write the probabilities of all classes too"
    )
    add_columns(parser, "--id", "columns of DATA to write beside the predictions")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..console import Console, need_extra

    need_extra("softreg-fast predict", "cli", "pyarrow", "rich")
    from pathlib import Path

    from ..applying import Application
    from ..model_files import load_model
    from ..outputs import check_output, check_standard_output
    from ..predicting import check_kind, run_prediction
    from ..tables.files import ReadingOptions, check_file

    check_kind(options.output)
    output = None
    if options.output == "-":
        check_standard_output()
    else:
        output = check_output("-o", options.output, (options.data, options.model))
    check_file(Path(options.data))
    model, table, _ = load_model(Path(options.model))
    reading = ReadingOptions(options.encoding, options.delimiter, options.decimal)
    others = tuple(dict.fromkeys(options.id))
    application = Application(
        Path(options.data), model, table.with_missing(options.na), reading, others
    )
    run_prediction(
        application,
        output,
        with_probabilities=options.proba,
        console=Console(is_json=False),
    )
    return 0
