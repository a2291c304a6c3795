"""The command as a script would use it."""

from __future__ import annotations

import json

import pydicom
import pytest

from tests.deidentification.test_deidentification import secret_instance
from tests.study.dicom_files import save
from tumorviewer import cli, resources


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(resources.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_preview_writes_nothing_and_shows_what_is_written(tmp_path, capsys, home) -> None:
    path = save(secret_instance(), tmp_path / "in" / "a.dcm")
    command = ["deidentify", str(path), "--out", str(tmp_path / "out"), "--json"]
    assert cli.main([*command, "--preview"]) == 0
    preview = json.loads(capsys.readouterr().out)
    assert not (tmp_path / "out").exists()
    assert cli.main(command) == 0
    assert json.loads(capsys.readouterr().out) == preview
    (file,) = preview["files"]
    written = pydicom.dcmread(tmp_path / "out" / file["file"])
    told = {change["element"]: change["after"] for change in file["changes"]}
    assert told["PatientName"] == str(written.PatientName)
    assert told["PatientAddress"] is None
    assert (home / "deidentification.key").stat().st_mode & 0o077 == 0


def test_what_is_refused_is_told_and_the_rest_is_written(tmp_path, capsys) -> None:
    save(secret_instance(), tmp_path / "in" / "a.dcm")
    (tmp_path / "in" / "b.txt").write_text("x")
    assert cli.main(["deidentify", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr()
    assert "->" in told.out
    assert "not DICOM" in told.err
    assert cli.main(["deidentify", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    with pytest.raises(SystemExit):
        cli.main(["deidentify", str(tmp_path / "in")])
