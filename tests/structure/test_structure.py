"""The rules of the house that a reader would otherwise have to watch (docs/architecture.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure import allowed
from tests.structure.code_facts import Code, circles, layers, repeated

ROOT = Path(__file__).resolve().parents[2]
MOST_MODULES = 20
BARE = {
    "add", "begin", "build", "check", "find", "get", "load", "make", "measure", "of", "open",
    "read", "run", "save", "start", "write",
}  # fmt: skip
"""Verbs that a search does not find; functions of modules add a noun."""
GIVEN_UP = {
    "analyst", "clerk", "copyist", "familiarity", "heed", "marks", "mend", "mourn",
    "shelf", "twin", "twins", "wear",
}  # fmt: skip
"""Words of before; the glossary has those that took their place."""


@pytest.fixture(scope="module")
def code() -> Code:
    return Code(ROOT)


def words_of(name: str) -> set[str]:
    """The words of an identifier, ``snake_case`` or ``CamelCase``."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def defined_names(code: Code) -> Iterator[str]:
    """Of modules, classes, functions and parameters."""
    for module in code.modules.values():
        yield from module.name.split(".")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.arg):
                yield node.arg


def test_everything_is_looked_at(code) -> None:
    assert len(code.modules) > 300
    assert sum(map(len, code.imports.values())) > 1500
    assert len(code.signals()) > 100


def test_no_two_classes_share_a_name(code) -> None:
    assert repeated(code.classes()).keys() <= allowed.CLASSES


def test_no_class_is_called_a_mark(code) -> None:
    assert [name for name in code.classes() if "mark" in words_of(name)] == []


def test_no_two_modules_share_a_name(code) -> None:
    assert repeated(code.module_names()).keys() <= allowed.MODULES


def test_no_folder_is_crowded(code) -> None:
    crowded = {name for name, count in code.folders().items() if count > MOST_MODULES}
    assert crowded <= allowed.FOLDERS


def test_no_modules_import_each_other(code) -> None:
    assert {name for circle in circles(code.imports) for name in circle} <= allowed.IN_CIRCLES


def test_functions_of_modules_are_verb_and_noun(code) -> None:
    assert code.functions(at_top=True).keys() & BARE <= allowed.BARE_FUNCTIONS


def test_words_that_were_given_up_do_not_return(code) -> None:
    found = {word for name in defined_names(code) for word in words_of(name) & GIVEN_UP}
    assert found <= allowed.WORDS


def test_the_rules_bite(tmp_path) -> None:
    wing = tmp_path / "tumorviewer" / "wing"
    wing.mkdir(parents=True)
    for name, text in {
        "one": "from tumorviewer.wing import two\nclass Same: ...\ndef read_it(twin): ...",
        "two": "def late():\n    from tumorviewer.wing.one import Same\nclass Same: ...",
        "three": "from tumorviewer.wing import two\ndef read(): ...",
    }.items():
        (wing / f"{name}.py").write_text(text)
    planted = Code(tmp_path)
    assert repeated(planted.classes()).keys() == {"Same"}
    assert circles(planted.imports) == [["tumorviewer.wing.one", "tumorviewer.wing.two"]]
    assert layers(planted.imports) == 2
    assert planted.functions(at_top=True).keys() & BARE == {"read"}
    assert "twin" in {word for name in defined_names(planted) for word in words_of(name)}
    assert planted.folders() == {"tumorviewer/wing": 3}
    assert planted.only_importers() == ["tumorviewer.wing.one"]
