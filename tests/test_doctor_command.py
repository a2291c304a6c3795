"""``tumorviewer doctor`` as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from tumorviewer import cli
from tumorviewer import doctor_command as doctor
from tumorviewer.models.catalogue import Catalogue


def test_it_says_what_is_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TUMORVIEWER_HOME", str(tmp_path))
    code = cli.main(["doctor", "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert code == int(any(check["remedy"] for check in checks))
    names = {check["name"] for check in checks}
    assert {"program", "engine", "model", "library", "disk", "permission"} <= names
    models = [check["found"] for check in checks if check["name"] == "model"]
    assert "head-mr-4" in " ".join(models)
    assert str(tmp_path) not in json.dumps(checks)


def test_a_damaged_model_is_named_with_the_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TUMORVIEWER_HOME", str(tmp_path))
    catalogue = Catalogue()
    folder = catalogue.own / "broken"
    shutil.copytree(catalogue.find("light"), folder)
    (folder / "model.safetensors").write_bytes(b"cut")
    assert cli.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("!! model"))
    assert "broken: The weights have 3 bytes" in lines[at]
    assert lines[at + 1].strip() == "Copy the bundle again from where it was made."


def test_little_room_and_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("TUMORVIEWER_HOME", str(tmp_path / "new"))
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: full)

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    disk, permission = doctor.check_disk()
    assert disk.remedy == "Make room, or set TUMORVIEWER_HOME."
    assert "Permission denied" in permission.found
    assert permission.remedy


def test_a_missing_library_is_said(monkeypatch):
    def missing(name):
        raise doctor.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", missing)
    checks = doctor.check_libraries()
    assert checks[0].remedy == "Install it with `pip install PySide6-Essentials`."
    assert all("0." not in check.found for check in checks)


def test_without_a_screen_it_still_answers(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "TUMORVIEWER_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "tumorviewer", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode in (0, 1)
    assert "ok program" in done.stdout
    assert not done.stderr
