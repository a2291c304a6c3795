"""Nothing that a user brings crashes, hangs, floods the memory, or is half shown without a word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from corpus import CASES
from corpus.case import Case

HERE = Path(__file__).parent
MEMORY = 500 << 20
FAMILIES: dict[str, list[str]] = defaultdict(list)
for _name in CASES:
    FAMILIES[_name.partition("/")[0]].append(_name)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drives the system's own limits")


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory):
    """Reports of a family by case, each family driven once."""

    @cache
    def drive(family: str) -> dict[str, dict[str, Any]]:
        return _drive(FAMILIES[family], tmp_path_factory.mktemp(family))

    return drive


def _drive(names: list[str], root: Path) -> dict[str, dict[str, Any]]:
    """Drive cases; after a crash, go on with the next one."""
    found: dict[str, dict[str, Any]] = {}
    waiting, attempt = list(names), 0
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
    while waiting:
        attempt += 1
        arguments = [sys.executable, str(HERE / "drive.py"), str(root / str(attempt)), *waiting]
        done = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, timeout=500, check=False
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found |= {line["name"]: line for line in lines if "name" in line}
        if not done.returncode:
            break
        if not lines:
            raise AssertionError(done.stderr)
        dead = lines[-1].get("starts", waiting[-1])
        found[dead] = {"fault": f"died ({done.returncode}): {done.stderr[-2000:]}"}
        waiting = waiting[waiting.index(dead) + 1 :]
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_case(case: Case, reports) -> None:
    report = reports(case.name.partition("/")[0])[case.name]
    assert "fault" not in report, report["fault"]
    assert report["seconds"] < case.seconds
    assert report["memory"] < MEMORY
    assert report["leaked"] == []
    assert report["tells"] == []
    errors = [volume["error"] | volume for volume in report["volumes"] if volume["error"]]
    for refused in [*report["refused"], *errors]:
        assert refused["source"]
        assert refused["reason"].endswith((".", "!"))
        assert not refused["reason"].startswith("It could not be read ("), refused["reason"]
    case.check(report)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 400
