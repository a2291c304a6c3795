"""What commands say on a terminal, and the codes that they end with."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, Self

OK, SOME_REFUSED, USAGE = 0, 1, 2


def plain_text(text: str) -> str:
    """Text from a file as a terminal may show it: no control characters, nothing invisible."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def complain(text: str) -> None:
    """Say something on standard error."""
    print(text, file=sys.stderr)


class TerminalStatus:
    """One line on standard error that is written over; nothing where that is not a terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()

    def tell(self, text: str) -> None:
        """Show what is being done."""
        if self._is_shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def put(self, line: Mapping[str, Any]) -> None:
        """Print a line of JSON to standard output, and not behind what is being done."""
        self.tell("")
        print(json.dumps(line), flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.tell("")
