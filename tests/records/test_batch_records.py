"""``classify --batch`` as a process: one line a study, gone on with after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sqlalchemy as sa
from made import finding, slice_file
from PIL import Image

from tumorviewer import batch as job
from tumorviewer import cli, resources
from tumorviewer.analysis.finding import ModelIdentity
from tumorviewer.analysis.whole_study.decision import refuse_study
from tumorviewer.classify import VolumeItem
from tumorviewer.errors import InputError
from tumorviewer.models.bundle import read_card
from tumorviewer.records import Records


@pytest.fixture(autouse=True)
def home(random_bundle: Path, tmp_path_factory, monkeypatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(random_bundle, home / "models" / "random")
    (home / "models" / "DEFAULT").write_text("random")
    monkeypatch.setenv(resources.HOME_VARIABLE, str(home))
    return home


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Two series and two pictures."""
    folder = tmp_path / "studies"
    for at in range(2):
        for index in range(3):
            changes = {"StudyInstanceUID": f"1.{at}", "StudyDate": f"202{at}0101"}
            slice_file(folder / f"s{at}" / f"{index}.dcm", index, **changes)
    rng = np.random.default_rng(0)
    for at in range(2):
        Image.fromarray(rng.integers(0, 255, (50, 50), np.uint8)).save(folder / f"{at}.png")
    return folder


@pytest.fixture
def quick(monkeypatch, home) -> list[VolumeItem]:
    """A model that answers at once; the volumes that it was asked about."""
    sha256 = read_card(home / "models" / "random").weights.sha256
    identity, asked = ModelIdentity("random", "1", sha256), []

    def examine(item, _model, _method, _tell):
        asked.append(item)
        if "blank" in item.series.title:
            raise InputError(item.series.source, "It is blank.")
        count = item.volume.load().array.shape[0]
        shares = np.full((count, 4), 0.25)
        return finding(model=identity, slices=tuple(range(count)), slice_probabilities=shares), None

    def answer(study, _model, _finder, _tell):
        return refuse_study(study.series[0].source, ())

    monkeypatch.setattr(job, "examine_volume", examine)
    monkeypatch.setattr(job, "answer_for_study", answer)
    monkeypatch.setattr(job._Batch, "model", SimpleNamespace(card=identity))
    return asked


def batch(capsys, *arguments: object) -> tuple[int, list[dict]]:
    code = cli.main(["classify", "--batch", *map(str, arguments)])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_for_each_study_by_priority_and_date(studies, capsys) -> None:
    code, lines = batch(capsys, studies)
    assert code == 0
    assert [line["study"]["date"] for line in lines] == ["2021-01-01", "2020-01-01", "", ""]
    for line in lines:
        (found,) = line["findings"]
        assert line["errors"] == []
        answer = line["answer"]
        named = answer["no_tumour"] if answer["answer"] == "no_tumour" else answer["named_class"]
        assert line["study"]["predicted_class"] == named
        if found["source"].endswith(".png"):
            assert answer["answer"] != "cannot_say"
            assert named == found["named_class"]
        assert found["saliency"] is None
    text = json.dumps(lines)
    assert "Doe" not in text
    assert "J1" not in text
    cli.main(["classify", "--json", str(studies / "0.png"), "--explain", "none"])
    single = json.loads(capsys.readouterr().out)
    kept = next(
        one for line in lines for one in line["findings"] if one["source"].endswith("0.png")
    )
    assert kept == single["findings"][0], "a line holds what classify --json prints"
    assert "probability" in kept["explanation"] or "no single class" in kept["explanation"]


def test_lines_of_answers_from_before_have_the_paragraph_too(studies, capsys, quick) -> None:
    _, first = batch(capsys, studies / "0.png")
    with Records() as records, records._database.writing() as connection:
        connection.execute(sa.text("DROP TRIGGER findings_no_update"))
        gone = sa.text("UPDATE findings SET document = json_remove(document, '$.explanation')")
        connection.execute(gone)
    assert batch(capsys, studies / "0.png")[1] == first


def test_what_was_answered_is_not_asked_again(studies, capsys, quick) -> None:
    _, first = batch(capsys, studies)
    _, again = batch(capsys, studies)
    assert sorted(map(json.dumps, again)) == sorted(map(json.dumps, first))
    assert len(quick) == 4


def test_a_changed_or_new_study_is_asked_about(studies, capsys, quick) -> None:
    batch(capsys, studies / "s0", studies / "0.png")
    slice_file(studies / "s0" / "9.dcm", 3, StudyInstanceUID="1.0", StudyDate="20200101")
    _, lines = batch(capsys, studies)
    assert {len(line["findings"][0]["slices"]) for line in lines} == {1, 3, 4}
    assert len(quick) == 2 + 3
    with Records() as records:
        asked = [entry for entry in records.trail.entries() if entry.action == "asked"]
        assert len(asked) == 2 + 3
        assert records.trail.verify() == []


def test_refused_files_and_blank_volumes_have_lines_too(studies, capsys, quick) -> None:
    Image.new("L", (40, 40)).save(studies / "blank.png")
    (studies / "broken.png").write_bytes(b"\x89PNG broken")
    for _ in range(2):
        code, lines = batch(capsys, studies)
        assert code == 1
        said = {error["source"]: error["message"] for line in lines for error in line["errors"]}
        assert "blank" in said[str(studies / "blank.png")]
        assert str(studies / "broken.png") in said
        assert sum(len(line["findings"]) for line in lines) == 4
        assert sum(line["study"] is None for line in lines) == 1


def test_it_goes_on_after_being_killed(studies, capsys) -> None:
    command = [sys.executable, "-m", "tumorviewer", "classify", "--batch", str(studies)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Records() as records:
        before = len(records.trail.entries())
        assert len(records.findings.of(records.worklist.by_key(first["study"]["key"]).id)) == 1
    code, lines = batch(capsys, studies)
    assert (code, len(lines)) == (0, 4)
    assert first in lines
    with Records() as records:
        assert len(records.trail.entries()) >= before
        assert all(len(records.findings.of(entry.id)) == 1 for entry in records.worklist.find())


def test_an_interruption_keeps_what_was_answered(studies, capsys, quick, monkeypatch) -> None:
    examine = job.examine_volume

    def interrupted(*arguments):
        if len(quick) == 2:
            raise KeyboardInterrupt
        return examine(*arguments)

    monkeypatch.setattr(job, "examine_volume", interrupted)
    assert cli.main(["classify", "--batch", str(studies)]) == 130
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert "same command" in shown.err
    monkeypatch.setattr(job, "examine_volume", examine)
    code, lines = batch(capsys, studies)
    assert (code, len(lines), len(quick)) == (0, 4, 4)


def test_a_fault_of_ours_costs_one_volume(studies, capsys, quick, monkeypatch) -> None:
    examine = job.examine_volume

    def failing(item, *arguments):
        if item.series.source.endswith("0.png"):
            raise ZeroDivisionError("of Doe^Jane")
        return examine(item, *arguments)

    monkeypatch.setattr(job, "examine_volume", failing)
    code, lines = batch(capsys, studies)
    assert (code, len(lines)) == (1, 4)
    (error,) = [error for line in lines for error in line["errors"]]
    assert "ZeroDivisionError" in error["message"]
    assert "Doe" not in error["message"]
    monkeypatch.setattr(job, "examine_volume", examine)
    assert batch(capsys, studies)[0] == 0, "it was not noted as refused"


def test_studies_that_a_window_judges_come_last(studies, capsys, quick, monkeypatch) -> None:
    batch(capsys, studies / "s0")  # the first on the list
    slice_file(studies / "s0" / "9.dcm", 3, StudyInstanceUID="1.0", StudyDate="20300101")
    with Records() as window, ExitStack() as held:
        held.enter_context(window.queue.judging(1))
        monkeypatch.setattr(job.time, "sleep", lambda _: held.close())
        _, lines = batch(capsys, studies)
    assert [line["study"]["date"] for line in lines] == ["2021-01-01", "", "", "2020-01-01"]


def test_progress_tells_the_time_left(monkeypatch) -> None:
    told: list[str] = []
    clock = iter([0.0, 0.0, 50.0, 100.0])
    monkeypatch.setattr(job.time, "monotonic", lambda: next(clock))
    progress = job._Progress([10, 90, 3000], told.append)
    for at in range(3):
        progress.of(at)("Loading")
    assert told == [
        "Study 1 of 3: Loading",
        "Study 2 of 3, about 4.3 h left: Loading",
        "Study 3 of 3, about 50 min left: Loading",
    ]


def test_batch_does_not_write_files(studies, tmp_path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["classify", "--batch", str(studies), "--out", str(tmp_path / "out")])


def test_records_commands(studies, capsys, quick, tmp_path) -> None:
    batch(capsys, studies)
    with Records() as records:
        for entry in records.worklist.find():
            verdict = records.verdicts.give(entry.id, "glioma", before_answer=False)
        records.verdicts.sign(verdict)
    assert cli.main(["records", "verify"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("In order: ")
    head = said.split()[-1]
    assert cli.main(["records", "verify", "--head", head]) == 0
    assert cli.main(["records", "verify", "--head", head[:-1] + "x"]) == 2
    number, _, digest = head.partition(":")
    assert cli.main(["records", "verify", "--head", f"{number}:{digest[::-1]}"]) == 1
    assert cli.main(["records", "training", str(tmp_path / "all"), "--no-signed"]) == 0
    assert cli.main(["records", "training", str(tmp_path / "signed")]) == 0
    lines = (tmp_path / "signed" / "dataset.csv").read_text().splitlines()
    assert lines[0] == "path,label,patient_id,slice,group"
    assert len(lines) == 2
