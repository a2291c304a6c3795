"""Modules that are named in texts (programs of tests, dotted paths, contracts) are there."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure.code_facts import PACKAGES, Code

ROOT = Path(__file__).resolve().parents[2]
OURS = Path(__file__).parent
DOTTED = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+")


@pytest.fixture(scope="module")
def code() -> Code:
    return Code(ROOT)


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def defines(code: Code, module: str, name: str) -> bool:
    """Whether a module has something of that name at its top."""
    tree = code.modules[module].tree
    return f"{module}.{name}" in code.modules or any(
        name
        in (getattr(node, "name", ""), getattr(node, "asname", "") or "", getattr(node, "id", ""))
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.alias | ast.Name)
    )


def missing_imports(code: Code, program: str) -> Iterator[str]:
    for module, names in re.findall(r"from ([\w.]+) import \(?([\w, ]+)", program):
        if module.split(".")[0] in PACKAGES:
            wanted = [name.split()[0] for name in names.split(",") if name.strip()]
            if module not in code.modules:
                yield module
            else:
                yield from (f"{module}.{one}" for one in wanted if not defines(code, module, one))


def is_there(code: Code, dotted: str) -> bool:
    """Whether it is a module, or something in one, or an attribute of that."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        if module in code.modules:
            left = parts[length:]
            return not left or defines(code, module, left[0])
    return False


def test_programs_in_texts_of_tests_import_what_is_there(code) -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "tests").rglob("*.py")
        if OURS not in path.parents
        for text in texts(path)
        if "import" in text
        for name in missing_imports(code, text)
    ]
    assert found == []


def test_dotted_paths_in_texts_lead_to_something(code) -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), text)
        for folder in (*PACKAGES, "tests")
        for path in (ROOT / folder).rglob("*.py")
        if "golden" not in path.parts and OURS not in path.parents
        for text in texts(path)
        if DOTTED.fullmatch(text) and not is_there(code, text)
    ]
    assert found == []


def test_references_in_docstrings_lead_to_something(code) -> None:
    found = [
        (module.name, name)
        for module in code.modules.values()
        for name in re.findall(r":(?:mod|class|func|data|meth|attr):`~?([\w.]+)`", module.source)
        if DOTTED.fullmatch(name) and not is_there(code, name)
    ]
    assert found == []


def test_contracts_name_modules_that_exist(code) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    named = [
        name
        for contract in settings["contracts"]
        for key in ("source_modules", "forbidden_modules")
        for name in contract.get(key, ())
        if name.split(".")[0] in PACKAGES
    ]
    assert named
    assert [name for name in named if not is_there(code, name.removesuffix(".**"))] == []
