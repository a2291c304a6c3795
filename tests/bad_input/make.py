"""Write the cases as files, to be dropped on the window by hand: ``make.py FOLDER [FAMILY…]``."""

from __future__ import annotations

import sys
from pathlib import Path

from corpus import CASES


def main(folder: Path, families: list[str]) -> None:
    """A folder for each case of these families, or of all."""
    for number, (name, case) in enumerate(CASES.items()):
        family, _, rest = name.partition("/")
        if not families or family in families:
            place = folder / family / f"{number:03} {rest.replace('/', '_')}"
            place.mkdir(parents=True)
            case.make(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
