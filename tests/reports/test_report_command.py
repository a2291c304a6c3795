"""``tumorviewer report`` as a script would use it."""

from __future__ import annotations

import json
import shutil

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from tests.reports.fhir_server import FhirServer
from tests.reports.made import clean_series
from tumorviewer import cli, resources
from tumorviewer.records import Records
from tumorviewer.study import open_paths


@pytest.fixture(autouse=True)
def home(random_bundle, tmp_path, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(random_bundle, home / "models" / "random")
    (home / "models" / "DEFAULT").write_text("random")
    monkeypatch.setenv(resources.HOME_VARIABLE, str(home))
    return home


def report(capsys, *arguments) -> tuple[int, dict]:
    code = cli.main(["report", "--json", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def test_a_series_with_a_signed_verdict(qapp, tmp_path, capsys) -> None:
    folder = clean_series(tmp_path / "in", "upwards", 5)
    with Records(reader="Reader") as records:
        entry = records.worklist.add(open_paths([folder]).studies[0])
        given = records.verdicts.give(entry.id, "glioma", before_answer=False, signed=True)
    server = FhirServer()
    code, answer = report(capsys, folder, "--out", tmp_path / "out", "--fhir-server", server.url)
    server.close()
    assert code == 0
    assert len(server.resources["DiagnosticReport"]) == 1
    (made,) = answer["reports"]
    assert made["signed"]
    assert made["files"].pop("fhir-server")
    assert set(made["files"]) == {"pdf", "sc", "sr", "pm", "pr", "ko", "fhir", "png", "nifti"}
    assert "outline" in made["refused"]["seg"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        name for names in made["files"].values() for name in names
    }
    structured = pydicom.dcmread(tmp_path / "out" / made["files"]["sr"][0])
    assert structured.VerificationFlag == "VERIFIED"
    assert structured.VerifyingObserverSequence[0].VerifyingObserverName == "Reader^"
    stated = structured.VerifyingObserverSequence[0].VerificationDateTime
    assert stated[:8] == given.time[:10].replace("-", "")
    saliency = nibabel.load(tmp_path / "out" / made["files"]["nifti"][0])
    assert saliency.shape == (5, 20, 24)
    bundle = json.loads((tmp_path / "out" / made["files"]["fhir"][0]).read_text())
    assert bundle["entry"][-1]["resource"]["resourceType"] == "DiagnosticReport"


def test_a_picture_has_no_study_to_add_to_and_bad_files_are_told(qapp, tmp_path, capsys) -> None:
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 255, (60, 50), np.uint8)
    Image.fromarray(noise).save(path)
    (tmp_path / "b.dcm").write_bytes(b"nothing")
    code, answer = report(
        capsys, path, tmp_path / "b.dcm", "--out", tmp_path / "out", "--formats", "pdf,sr,png,fhir"
    )
    assert code == 1
    (made,) = answer["reports"]
    assert set(made["files"]) == {"pdf", "png", "fhir"}
    assert "not DICOM" in made["refused"]["sr"]
    assert answer["errors"][0]["source"].endswith("b.dcm")
    with pytest.raises(SystemExit):
        cli.main(["report", str(path), "--out", str(tmp_path), "--formats", "doc"])
