"""Nothing that a user brings crashes, hangs, floods the memory, or is half shown without a word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from corpus import CASES
from corpus.case import Case

HERE = Path(__file__).parent
MEMORY = 500 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drives the system's own limits")


@pytest.fixture(scope="session")
def reports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Reports of the cases that are to be tested, by name, all from one program."""
    calls = (item.callspec for item in request.session.items if hasattr(item, "callspec"))
    cases = [call.params.get("case") for call in calls]
    names = [case.name for case in cases if isinstance(case, Case)]
    return _drive(names, tmp_path_factory.mktemp("cases"))


def _drive(names: list[str], root: Path) -> dict[str, dict[str, Any]]:
    """Drive cases; after a crash, go on with the next one."""
    found: dict[str, dict[str, Any]] = {}
    waiting, attempt = list(names), 0
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
    while waiting:
        attempt += 1
        arguments = [sys.executable, str(HERE / "drive.py"), str(root / str(attempt)), *waiting]
        done = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, timeout=1500, check=False
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
    report = reports[case.name]
    assert "fault" not in report, report["fault"]
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
