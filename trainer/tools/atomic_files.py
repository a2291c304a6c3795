"""Texts, JSON and tables that are wholly there or not at all."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically


def write_bytes(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``, wholly or not at all.

    Raises
    ------
    InputError
        If the disk is full or the folder cannot be written; what stood there before stands.
    """
    try:
        with replace_atomically(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        reason = f"It cannot be written ({error.strerror or error}); the last one saved is intact."
        raise InputError(str(path), reason, "Make room or choose another folder.") from error


def write_text(path: Path, text: str) -> None:
    """As :func:`write_bytes`, UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """As :func:`write_bytes`, indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """As :func:`write_bytes`, comma-separated with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_secret(path: Path) -> bytes:
    """32 random bytes that are made once and then kept, for their owner's eyes only."""
    if not path.is_file():
        write_bytes(path, secrets.token_bytes(32))
        path.chmod(0o600)
    return path.read_bytes()


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV with a header.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return [
                {key: value or "" for key, value in row.items() if key}
                for row in csv.DictReader(stream)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(str(path), f"The table cannot be read: {error}.") from error


def read_json(path: Path) -> Any:
    """What :func:`write_json` wrote.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(path), f"The file cannot be read: {error}.") from error
