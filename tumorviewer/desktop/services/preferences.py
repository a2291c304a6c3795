"""What a person may choose, in one table, and the readable file that keeps it. No Qt."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from tumorviewer.files import replace_atomically
from tumorviewer.language import LANGUAGES, SYSTEM, later, tr

Value = bool | int | str


class Scheme(Enum):
    """The colours of the window, by the value of the setting ``colours``."""

    SYSTEM = "system"
    DARK = "dark"
    LIGHT = "light"
    HIGH_CONTRAST = "high_contrast"


@dataclass(frozen=True)
class SettingOption:
    """One thing that may be chosen."""

    name: str
    page: str
    text: str
    default: Value
    choices: tuple[tuple[Value, str], ...] = ()
    """Values and their words; none for yes or no, a text or a folder."""
    tip: str = ""
    is_folder: bool = False

    def allows(self, value: object) -> bool:
        """Whether the file may say this."""
        if not self.choices:
            return isinstance(value, type(self.default))
        return any(type(value) is type(each) and value == each for each, _ in self.choices)


OPTIONS = (
    SettingOption(
        "colours", later("Appearance"), later("Colours"), "dark",
        (("system", later("As the system has them")), ("dark", later("Dark")),
         ("light", later("Light")), ("high_contrast", later("High contrast"))),
        later("Dark suits a dim reading room. As the system has them follows its high contrast "
              "too."),
    ),
    SettingOption(
        "scale", later("Appearance"), later("Size of text and buttons"), 100,
        ((100, later("100 %")), (125, later("125 %")), (150, later("150 %")),
         (175, later("175 %")), (200, later("200 %"))),
        later("Takes effect when TumorViewer is started again."),
    ),
    SettingOption(
        "language", later("Appearance"), later("Language"), SYSTEM,
        ((SYSTEM, later("As the system has it")),
         *((code, language.title) for code, language in LANGUAGES.items())),
        later("Takes effect when TumorViewer is started again."),
    ),
    SettingOption(
        "reader", later("Reading"), later("Your name"), "",
        tip=later("Your verdicts and signatures carry it."),
    ),
    SettingOption(
        "verdict_first", later("Reading"),
        later("Ask for my verdict before the model's answer is shown"), False,
        tip=later("The answer stays covered until you have written a verdict of your own."),
    ),
    SettingOption(
        "hide_patient", later("Reading"), later("Hide patient text when the window opens"), False,
        tip=later("Names, identifiers and paths; one key shows them again."),
    ),
    SettingOption(
        "data_folder", later("Reading"), later("Folder of the training data"), "",
        tip=later("Where this computer has the data that a model was trained on: pictures of "
                  "similar cases and of its mistakes are found there. Nothing is copied."),
        is_folder=True,
    ),
)  # fmt: skip
_HEAD = """\
# Settings of TumorViewer, as the window's Settings show them. Edit them here too while it is
# closed; what is not understood is ignored, said in Settings, and kept in {aside}.
"""


@dataclass
class Preferences:
    """What was chosen."""

    values: dict[str, Value] = field(default_factory=dict)
    """The value of every option."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The keys of the actions whose keys were changed."""
    problems: tuple[str, ...] = ()
    """What the file says that is not understood."""


def read_preferences(file: Path) -> Preferences:
    """What a file says; the defaults for what it does not say or says wrongly."""
    chosen = Preferences({option.name: option.default for option in OPTIONS})
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return chosen
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        chosen.problems = (tr("The settings file cannot be read: {error}.", error=error),)
        return chosen
    chosen.keys, problems = _keys(said.pop("keys", {}))
    options = {option.name: option for option in OPTIONS}
    for name, value in said.items():
        if name not in options:
            problems.append(tr("There is no setting “{name}”.", name=name))
        elif not options[name].allows(value):
            problems.append(
                tr("The setting “{name}” cannot be {value}.", name=name, value=repr(value))
            )
        else:
            chosen.values[name] = value
    chosen.problems = tuple(problems)
    return chosen


def write_preferences(file: Path, chosen: Preferences) -> None:
    """Write a file that only its owner can read, and keep one that was not understood."""
    if chosen.problems and file.exists():
        shutil.copy2(file, backup_path(file))
    with replace_atomically(file) as beside:
        beside.touch(mode=0o600)
        beside.write_text(_text(file, chosen), "utf-8")


def backup_path(file: Path) -> Path:
    """Where a file that was not understood is kept."""
    return file.with_name(f"{file.stem}.before{file.suffix}")


def _keys(said: object) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    if not isinstance(said, Mapping):
        return {}, [tr("“keys” must be a table.")]
    keys: dict[str, tuple[str, ...]] = {}
    problems = []
    for name, value in said.items():
        if isinstance(value, list) and all(isinstance(key, str) for key in value):
            keys[name] = tuple(value)
        else:
            problems.append(tr("The keys of “{name}” must be a list of texts.", name=name))
    return keys, problems


def _text(file: Path, chosen: Preferences) -> str:
    lines = [_HEAD.format(aside=backup_path(file).name)]
    for option in OPTIONS:
        values = ", ".join(_toml(value) for value, _ in option.choices) or _allowed(option)
        lines += [f"# {option.text}: {values}", f"{option.name} = {_toml(_value(chosen, option))}"]
    lines += ["", "# Keys that differ from the ones that TumorViewer comes with", "[keys]"]
    lines += [f"{name} = {_toml(list(keys))}" for name, keys in sorted(chosen.keys.items())]
    return "\n".join(lines) + "\n"


def _allowed(option: SettingOption) -> str:
    if isinstance(option.default, bool):
        return "true, false"
    return "a folder, or empty" if option.is_folder else "a text, or empty"


def _value(chosen: Preferences, option: SettingOption) -> Value:
    return chosen.values.get(option.name, option.default)


def _toml(value: Any) -> str:
    """Texts, numbers, yes and no, and lists of them are the same in JSON."""
    return json.dumps(value, ensure_ascii=False)
