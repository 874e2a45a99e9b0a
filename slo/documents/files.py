"""The files that a command is given: named one by one, by their folder, or on standard input."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = "-"
# What the commands exit with when a file or an argument makes no sense, as for arguments that nobody knows.
BAD_INPUT = 2


def add_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-f",
        "--file",
        required=True,
        action="extend",
        nargs="+",
        metavar="FILE",
        help="files, or folders with .yaml, .yml and .json files; - for standard input; may be given several times",
    )


def texts(names: Iterable[str]) -> dict[str, str]:
    """Text by name. Raises `ValueError` with a sentence for what cannot be read."""
    found = dict[str, str]()
    for name in names:
        if name == STANDARD_INPUT:
            found["standard input"] = _typed()
        else:
            found |= {str(path): _text(path) for path in _files(Path(name))}
    return found


def _typed() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise ValueError("Standard input is no text in UTF-8.") from error


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES and one.is_file())
    if not found:
        raise ValueError(f"The folder {path} holds no {', '.join(SUFFIXES)} files.")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"The file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"The file {path} is no text in UTF-8.") from error
