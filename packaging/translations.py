"""Renews the catalogues of ``resources/locale`` from the texts in the code, and compiles them.

Run by ``make translations``. A text that is gone leaves the catalogue; a new one is listed until
it is translated.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "resources" / "locale"
KEYWORDS = {"tr": None, "trn": (1, 2), "later": None}
TABLES = {
    "tumorviewer/desktop/shell/actions.py": ({"Entry": (2,)}, {"Entry": (3,)}),
    "tumorviewer/models/card.py": ({"_setting": (2,)},),
}
"""Files with calls that hold texts elsewhere than first."""
ROOMS = {"tumorviewer": KEYWORDS, "trainer": KEYWORDS | {"option": (2,)}}
"""Folders with texts; the trainer explains its settings, which the window shows."""


def template() -> Catalog:
    """Every text in the code that is marked for translation, with the files that it is in."""
    made = Catalog(project="TumorViewer", charset="utf-8", fuzzy=False)
    found = [
        (f"{room}/{name}", *text)
        for room, keywords in ROOMS.items()
        for name, *text in extract_from_dir(ROOT / room, [("**.py", "python")], keywords=keywords)
    ]
    for name, tables in TABLES.items():
        for keywords in tables:
            texts = extract_from_file("python", ROOT / name, keywords=keywords)
            found += [(name, *text) for text in texts]
    for name, _, message, _, _ in sorted(found, key=lambda one: one[:2]):
        made.add(message, locations=[(name, 0)])
    return made


def read(po: Path) -> Catalog:
    """A catalogue as its translator left it."""
    with po.open("rb") as file:
        return read_po(file, locale=po.parts[-3])


def compiled(catalogue: Catalog) -> bytes:
    """A catalogue as gettext reads it."""
    into = io.BytesIO()
    write_mo(into, catalogue)
    return into.getvalue()


def renew(po: Path) -> list[str]:
    """Bring a catalogue up to date; returns what is not translated yet."""
    catalogue = read(po)
    catalogue.update(template(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    with po.open("wb") as file:
        write_po(file, catalogue, width=0, include_lineno=False)
    po.with_suffix(".mo").write_bytes(compiled(catalogue))
    return [str(one.id) for one in catalogue if one.id and not is_translated(one)]


def is_translated(message: Message) -> bool:
    """Whether every form of a text has words."""
    words = message.string
    return all(words) if isinstance(words, tuple) else bool(words)


def main() -> int:
    """Renew every catalogue; 1 if one of them is incomplete."""
    missing = {po: renew(po) for po in sorted(LOCALE.glob("*/LC_MESSAGES/*.po"))}
    for po, texts in missing.items():
        print(f"{po.relative_to(ROOT)}: {len(texts)} texts without a translation")
        for text in texts:
            print(f"  {text}")
    return int(any(missing.values()))


if __name__ == "__main__":
    sys.exit(main())
