"""What stands in the place of identities: the same for the same, and not undone without the key."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from tumorviewer.files import replace_atomically
from tumorviewer.resources import home_path, resource_path

_STANDARD_UIDS = "1.2.840.10008."
_MOST_DAYS = 3650
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?", re.UNICODE)


@dataclass(frozen=True)
class Substitutes:
    """Replacements that depend on a secret and on what they replace."""

    secret: bytes

    def patient(self, identity: str) -> str:
        """A patient's new name and id."""
        return f"P{self._digest('patient', identity).hex()[:12].upper()}"

    def uid(self, uid: str) -> str:
        """A new UID of the form 2.25 (PS3.5 B.2); UIDs of the standard stay."""
        if not uid or uid.startswith(_STANDARD_UIDS):
            return uid
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16], 'big')}"

    def days(self, identity: str) -> int:
        """By how many days the dates of a patient move back: 1 to 3,650."""
        return 1 + int.from_bytes(self._digest("days", identity)[:8], "big") % _MOST_DAYS

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.digest(self.secret, f"{kind}\0{text}".encode(), hashlib.sha256)


def load_substitutes() -> Substitutes:
    """Those of this user, whose secret is made on first use: what is de-identified later fits to
    what was de-identified before."""
    path = home_path("deidentification.key")
    if not path.exists():
        with replace_atomically(path) as beside:
            beside.touch(mode=0o600)
            beside.write_text(secrets.token_hex(32), "ascii")
    return Substitutes(bytes.fromhex(path.read_text("ascii")))


def shift_date(text: str, days: int) -> str:
    """A date or date-time (DA, DT) so many days earlier; empty if it is neither."""
    match = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(.*)", text.strip())
    if match is None:
        return ""
    try:
        moved = date(*map(int, match.groups()[:3])) - timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{match[4]}"


def clean_description(text: str) -> str:
    """The words of the imaging vocabulary in a text, in its order; all others may be a name."""
    words = _WORD.findall(text)
    return " ".join(word for word in words if word.casefold() in _vocabulary())


@cache
def _vocabulary() -> frozenset[str]:
    lines = resource_path("dicom", "imaging_vocabulary.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
