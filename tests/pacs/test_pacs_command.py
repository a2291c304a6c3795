"""``tumorviewer pacs`` against a real server, as a script would use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from tests.pacs.made import study
from tests.pacs.orthanc_server import free_port
from tumorviewer import cli, resources

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(resources.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


def pacs(*arguments: object) -> int:
    return cli.main(["pacs", *map(str, arguments)])


@pytest.mark.parametrize("protocol", ["dimse", "web"])
def test_from_adding_an_archive_to_a_study_that_comes_back(
    orthanc, tmp_path, capsys, protocol
) -> None:
    if protocol == "dimse":
        where = ["--host", "127.0.0.1", "--port", orthanc.dicom, "--aet", "ORTHANC"]
    else:
        where = ["--url", f"http://127.0.0.1:{orthanc.http}/dicom-web"]
    assert pacs("add", "main", *where) == 0
    assert pacs("list") == 0
    assert "main" in capsys.readouterr().out
    assert pacs("test", "main") == 0
    paths = study(tmp_path / "in", 3)
    dataset = pydicom.dcmread(paths[0])
    capsys.readouterr()
    assert pacs("send", "main", *paths) == 0
    assert capsys.readouterr().out.count("confirmed") == 3
    assert pacs("outbox", "--json") == 0
    outbox = json.loads(capsys.readouterr().out)["outbox"]
    assert {entry["state"] for entry in outbox} == {"confirmed"}
    assert pacs("find", "main", "--patient-id", dataset.PatientID, "--json") == 0
    (match,) = json.loads(capsys.readouterr().out)["studies"]
    assert match["study_uid"] == dataset.StudyInstanceUID
    assert pacs("get", "main", match["study_uid"], "--out", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 3
    capsys.readouterr()
    assert pacs("find", "main", "--patient-id", "NOBODY") == 0
    assert "no such study" in capsys.readouterr().out
    assert pacs("remove", "main") == 0
    assert pacs("test", "main") == 1


def test_failures_have_an_exit_code_and_a_sentence(tmp_path, capsys) -> None:
    assert pacs("add", "bad name", "--url", "http://x") == 1
    assert "A name has" in capsys.readouterr().err
    assert pacs("send", "nobody", *study(tmp_path, 1)) == 1
    assert "No archive" in capsys.readouterr().err


def test_listening_until_interrupted(orthanc, tmp_path, home) -> None:
    port = free_port()
    command = [
        sys.executable, "-m", "tumorviewer", "pacs", "listen", "--aet", "HERE",
        "--port", str(port), "--callers", "FRIEND", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    listener = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    try:
        assert pacs("add", "here", "--host", "127.0.0.1", "--port", port, "--aet", "HERE",
                    "--calling-aet", "FRIEND") == 0  # fmt: skip
        while pacs("test", "here") != 0:
            assert listener.poll() is None
        (path,) = study(tmp_path / "in", 1)
        pacs("send", "here", path)
        received = Path(listener.stdout.readline().decode().strip())
        assert pydicom.dcmread(received).PatientName == pydicom.dcmread(path).PatientName
    finally:
        listener.terminate()
        listener.wait()
        listener.stdout.close()
