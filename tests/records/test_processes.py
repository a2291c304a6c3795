"""Several processes at once, and processes that are killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tumorviewer.records import Records, StudyState

WRITE = """
import sys
from pathlib import Path
from tumorviewer.records import Records
folder, study, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with Records(folder=folder, reader=sys.argv[4]) as records:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        if number % 3 == 0:
            records.verdicts.give(study, "glioma", before_answer=True, comment=str(number))
        elif number % 3 == 1:
            records.session.keep("draft/" + sys.argv[4], {"number": number})
        else:
            records.trail.note("opened", study, visit=number)
        print(number, flush=True)
"""


def writer(folder: Path, study: int, count: int, name: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITE, str(folder), str(study), str(count), name]
    return subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def start(*writers: subprocess.Popen[str]) -> None:
    for each in writers:
        assert each.stdout.readline() == "ready\n", each.stderr.read()
    for each in writers:
        each.stdin.write("\n")
        each.stdin.flush()


def test_900_writes_of_three_processes_all_succeed(folder, picture) -> None:
    with Records(folder=folder) as records:
        study = records.worklist.add(picture()).id
        names = ("window 1", "window 2", "trainer")
        writers = [writer(folder, study, 300, name) for name in names]
        start(*writers)
        for each in writers:
            _, complaints = each.communicate(timeout=120)
            assert (each.returncode, complaints) == (0, "")
        assert len(records.verdicts.on_study(study)) == 300
        visits = [entry for entry in records.trail.entries() if entry.action == "opened"]
        assert sorted((entry.who, entry.details["visit"]) for entry in visits) == sorted(
            (name, number) for name in names for number in range(2, 300, 3)
        )
        for name in names:
            assert records.session.kept(f"draft/{name}") == {"number": 298}
        assert records.trail.verify() == []


def test_a_killed_writer_loses_nothing_that_it_was_told_is_kept(folder, picture) -> None:
    with Records(folder=folder) as records:
        study = records.worklist.add(picture()).id
    rng = random.Random(0)
    done = 0
    for run in range(4):
        victim = writer(folder, study, 10_000, f"victim {run}")
        start(victim)
        time.sleep(0.2 + rng.random() * 0.3)
        victim.send_signal(signal.SIGKILL)
        output, _ = victim.communicate()
        said = [int(line) for line in output.split("\n")[:-1]]
        assert said == list(range(len(said)))
        done += len(said)
        with Records(folder=folder) as records:
            assert records.notices == ()
            assert records.trail.verify() == []
            kept = records.session.kept(f"draft/victim {run}")
            assert kept is None or kept["number"] >= max(n for n in said if n % 3 == 1)
            mine = [
                one for one in records.verdicts.on_study(study) if one.reader == f"victim {run}"
            ]
            assert len(mine) >= len([number for number in said if number % 3 == 0])
            assert records.worklist.get(study).state is StudyState.READ
    assert done > 20


def test_processes_that_open_new_records_together(folder) -> None:
    program = (
        "import sys; from pathlib import Path; from tumorviewer.records import Records\n"
        "with Records(folder=Path(sys.argv[1])) as r: print(r.trail.note('opened').number)"
    )
    ran = [
        subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert sorted(int(each.communicate(timeout=60)[0]) for each in ran) == [1, 2, 3, 4]


WINDOW = """
import sys, json
from pathlib import Path
from tumorviewer.records import Records
records = Records(folder=Path(sys.argv[1]))
window = records.session.claim()
print(json.dumps([window.name, window.document]), flush=True)
for number in range(10_000):
    window.keep({"slice": number, "tabs": ["a", "b"]})
    print(number, flush=True)
    sys.stdin.readline()
"""


def test_a_killed_window_comes_back_as_it_was(folder) -> None:
    def open_window() -> tuple[subprocess.Popen[str], str, dict | None]:
        process = subprocess.Popen(
            [sys.executable, "-c", WINDOW, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        name, document = json.loads(process.stdout.readline())
        return process, name, document

    def change(process: subprocess.Popen[str], times: int) -> None:
        for _ in range(times):
            process.stdout.readline()
            process.stdin.write("\n")
            process.stdin.flush()
        process.stdout.readline()

    first, one, document = open_window()
    assert document is None
    change(first, 5)
    second, two, document = open_window()
    assert (document, two) == (None, "window/2"), "the first is open still"
    change(second, 2)
    first.kill()
    first.communicate()
    third, name, document = open_window()
    assert (name, document) == (one, {"slice": 5, "tabs": ["a", "b"]})
    for process in (second, third):
        process.kill()
        process.communicate()


def test_a_window_that_is_closed_for_good_is_forgotten(records) -> None:
    window = records.session.claim()
    window.keep({"a": 1})
    window.release(forget=True)
    assert records.session.claim().document is None
    records.session.keep("draft/1", {"text": "x"})
    assert records.session.names("draft/") == ["draft/1"]
    records.session.drop("draft/1")
    assert records.session.kept("draft/1") is None
