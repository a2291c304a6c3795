"""Words, numbers and dates in the user's language, for every room; gettext, no Qt.

English is what the code says; other languages are catalogues in ``resources/locale``, renewed by
``make translations``. What is stored, logged or read by programs stays English.
"""

from __future__ import annotations

import datetime
import gettext
import os
import tomllib
from dataclasses import dataclass
from functools import cache

from tumorviewer.resources import home_path, resource_path

VARIABLE = "TUMORVIEWER_LANGUAGE"
"""Names the language for this process and those it starts, whatever the settings say."""
SYSTEM = "system"
_DOMAIN = "tumorviewer"
_SYSTEM_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@dataclass(frozen=True)
class Language:
    """How a language writes what no catalogue holds."""

    title: str
    """Its own name for itself."""
    signs: str
    """Between thousands, and between a number and its fraction."""
    percent: str
    date: str
    time: str
    """As :meth:`datetime.datetime.strftime` takes them."""


LANGUAGES = {
    "en": Language("English", ",.", "{} %", "%Y-%m-%d", "%H:%M"),
    "tr": Language("Türkçe", ".,", "%{}", "%d.%m.%Y", "%H:%M"),
}


def tr(text: str, /, **values: object) -> str:
    """A text in the user's language, with values in the places of their names in braces.

    Parameters
    ----------
    text
        English, written out where ``make translations`` finds it: here, or in :func:`later`.
    """
    words = _catalogue(current_language()).gettext(text) if text else ""
    return words.format(**values) if values else words


def trn(one: str, many: str, count: int, /, **values: object) -> str:
    """A text that depends on a number, which takes the place of ``{count}`` in it."""
    words = _catalogue(current_language()).ngettext(one, many, count)
    return words.format(count=count, **values)


def later(text: str) -> str:
    """Mark a text of a table; :func:`tr` translates it where it is shown."""
    return text


def number(value: float, form: str = ".0f") -> str:
    """A number in a format of Python's, with the signs of the user's language."""
    return written(format(value, form))


def written(digits: str) -> str:
    """A number that Python wrote, with the signs of the user's language."""
    return digits.translate(str.maketrans(",.", LANGUAGES[current_language()].signs))


def percent(share: float, digits: int = 0) -> str:
    """A share of one as per cent: ``"97.8 %"``, in Turkish ``"%97,8"``."""
    return LANGUAGES[current_language()].percent.format(number(100 * share, f".{digits}f"))


def duration(seconds: float) -> str:
    """About how long: ``"40 s"``, ``"12 min"``, ``"2.5 h"``."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return tr("{n} s", n=max(1, round(seconds)))
    if minutes < 100:
        return tr("{n} min", n=minutes)
    return tr("{n} h", n=number(minutes / 60, ".1f"))


def date(day: datetime.date | str) -> str:
    """A day, or one as ISO 8601 writes it; any other text stays as it is."""
    return _written(day, LANGUAGES[current_language()].date)


def moment(time: datetime.datetime | str) -> str:
    """Day, hour and minute, in this computer's time zone if the time has a zone."""
    customs = LANGUAGES[current_language()]
    return _written(time, f"{customs.date} {customs.time}")


@cache
def current_language() -> str:
    """The language of texts: what :func:`use_language` or the environment names, else the
    settings, else the system's; English where there is no catalogue of it."""
    chosen = os.environ.get(VARIABLE) or _setting()
    return chosen if chosen in LANGUAGES else system_language()


def use_language(language: str) -> None:
    """Speak a language in this process and in those that it starts from now on.

    Parameters
    ----------
    language
        A key of :data:`LANGUAGES`, or :data:`SYSTEM`.
    """
    os.environ[VARIABLE] = language
    current_language.cache_clear()


def system_language() -> str:
    """The language that the environment asks programs for, if we speak it."""
    asked = next(filter(None, map(os.environ.get, _SYSTEM_VARIABLES)), "")
    codes = (code[:2] for code in asked.split(":"))
    return next((code for code in codes if code in LANGUAGES), "en")


def capital(text: str) -> str:
    """A text with a capital first letter; that of ``i`` has a dot in Turkish."""
    dotted = current_language() == "tr" and text.startswith("i")
    return "İ" + text[1:] if dotted else text[:1].upper() + text[1:]


def small(text: str) -> str:
    """A text with a small first letter, as :func:`capital`."""
    first = {"İ": "i", "I": "ı"} if current_language() == "tr" else {}
    return first.get(text[:1], text[:1].lower()) + text[1:]


def fold_case(text: str) -> str:
    """A text as it is searched: small letters, those of Turkish ``I`` and ``İ`` alike."""
    return text.replace("İ", "i").replace("ı", "i").casefold()


def _setting() -> object:
    try:
        return tomllib.loads(home_path("settings.toml").read_text("utf-8")).get("language")
    except (OSError, ValueError):  # said by the settings dialog
        return None


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(_DOMAIN, resource_path("locale"), [language], fallback=True)


def _written(time: datetime.date | str, form: str) -> str:
    if isinstance(time, str):
        try:
            return _written(datetime.datetime.fromisoformat(time), form)
        except ValueError:
            return time
    if isinstance(time, datetime.datetime) and time.tzinfo is not None:
        time = time.astimezone()
    return time.strftime(form)
