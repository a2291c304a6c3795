"""What no committed file may say, and what the documents promise to have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "docs", "packaging", "resources", "tests", "trainer", "tumorviewer")
TEXT = {
    ".cfg", ".css", ".csv", ".html", ".ini", ".json", ".jsonl", ".lock", ".md", ".po", ".py",
    ".sh", ".toml", ".txt", ".yaml", "",
}  # fmt: skip
OF_A_MACHINE = re.compile(r"(?<![\w.~/$}])/(?:work|root|home/[a-z]\w*|Users/[A-Za-z]\w*)/")
OUTSIDE = re.compile(r"\b(?:STACK|STYLE|DESIGN|AUDIT)\.md\b|\.\./shared\b")
TERMS = {
    "annotation", "near-duplicate", "nearest-neighbour baseline", "out-of-distribution (OOD)",
    "prediction set", "coverage", "metrics", "image", "volume", "study", "source", "label",
    "progress", "finding", "verdict", "report",
}  # fmt: skip


def text_files() -> list[Path]:
    files = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path for path in files if path.suffix in TEXT and "__pycache__" not in path.parts]


def said(path: Path) -> str:
    return path.read_text("utf-8", errors="replace")


def test_no_lock_names_a_host() -> None:
    locks = [path for path in text_files() if path.suffix == ".lock"]
    assert ROOT / "requirements.lock" in locks
    assert [path for path in locks if "://" in said(path)] == []


def test_no_file_names_a_place_on_one_machine() -> None:
    found = [path for path in text_files() if OF_A_MACHINE.search(said(path))]
    assert found == []
    assert OF_A_MACHINE.search('open("/' + 'work/x")')


def test_no_comment_points_outside_the_checkout() -> None:
    product = [ROOT / "packaging", ROOT / "trainer", ROOT / "tumorviewer"]
    files = [path for folder in product for path in folder.rglob("*.py")]
    assert [path for path in files if OUTSIDE.search(said(path))] == []


def glossary() -> list[str]:
    rows = re.findall(r"^\| ([^|]+?) \|", said(ROOT / "docs" / "glossary.md"), re.MULTILINE)
    return [row for row in rows if row not in ("term", "---")]


def test_the_glossary_is_in_order_and_has_the_decided_terms() -> None:
    terms = glossary()
    assert terms == sorted(terms, key=str.casefold)
    assert len(terms) == len(set(terms))
    assert set(terms) >= TERMS


DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_of_a_document_lead_somewhere(document) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", said(document))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_decisions_are_numbered_and_of_one_form() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert re.match(rf"# {int(page.name[:4])}\. \w", said(page)), page.name
        headings = re.findall(r"^## (.+)$", said(page), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], page.name


def test_jobs_that_documents_and_ci_name_are_in_the_makefile() -> None:
    jobs = set(re.findall(r"^([a-z]+):", said(ROOT / "Makefile"), re.MULTILINE))
    named = {
        job
        for path in [*DOCUMENTS, ROOT / ".ci" / "run"]
        for job in re.findall(r"(?:^|`|exec )make ([a-z]+)(?=[\s`])", said(path), re.MULTILINE)
    }
    assert {"quick", "test", "ci", "hooks"} <= named <= jobs


def test_hooks_need_no_network() -> None:
    config = said(ROOT / ".pre-commit-config.yaml")
    assert re.findall(r"repo: (\S+)", config) == ["local"]
    assert set(re.findall(r"language: (\S+)", config)) == {"system"}


def test_the_slow_tests_that_are_listed_are_there() -> None:
    lines = said(ROOT / "tests" / "slow_tests.txt").splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    assert listed == sorted(set(listed))
    for one in listed:
        file, _, name = one.partition("::")
        assert f"def {name.rpartition('::')[2]}(" in said(ROOT / file), one
