"""The command line as a script would use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from tumorviewer import __version__, cli, resources
from tumorviewer.resources import resource_path

KEYS = {
    "source", "series_instance_uid", "model", "predicted_class", "probabilities", "slices",
    "pooling", "key_slices", "saliency", "flags",
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(random_bundle: Path, tmp_path_factory, monkeypatch) -> Path:
    """A user's folder with a default model, and nothing to write to by accident."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(random_bundle, home / "models" / "random")
    (home / "models" / "DEFAULT").write_text("random")
    monkeypatch.setenv(resources.HOME_VARIABLE, str(home))
    monkeypatch.chdir(tmp_path_factory.mktemp("working"))
    return home


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return draw(tmp_path / "picture.png")


def draw(path: Path) -> Path:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (60, 50), np.uint8)).save(path, "PNG")
    return path


def classify(capsys, *arguments: object) -> tuple[int, dict]:
    code = cli.main(["classify", "--json", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def test_one_picture(picture, capsys) -> None:
    code, answer = classify(capsys, picture)
    assert code == 0
    assert answer["errors"] == []
    (finding,) = answer["findings"]
    assert set(finding) >= KEYS
    assert finding["source"] == str(picture)
    assert finding["model"]["name"] == "random"
    assert sum(finding["probabilities"].values()) == pytest.approx(1)
    assert finding["probabilities"][finding["predicted_class"]] == max(
        finding["probabilities"].values()
    )
    assert [entry["index"] for entry in finding["slices"]] == finding["key_slices"] == [0]
    assert finding["saliency"] == {
        "method": "gradcam", "target": finding["predicted_class"], "file": None,
    }  # fmt: skip
    assert list(Path.cwd().iterdir()) == []


def test_a_map_is_checked_when_asked(picture, capsys) -> None:
    _, answer = classify(capsys, picture, "--check-map")
    check = answer["findings"][0]["saliency"]["check"]
    assert check["index"] == 0
    assert check["verdict"] in ("passes", "fails", "nothing")
    assert bool(check["reasons"]) == (check["verdict"] == "fails")
    assert (check["deletion"] is None) == (check["verdict"] == "nothing")


def test_class_alone(picture, capsys) -> None:
    _, answer = classify(capsys, picture, "--explain", "none")
    assert answer["findings"][0]["saliency"] is None


def test_a_dicom_series_and_its_files(tmp_path, capsys) -> None:
    study = tmp_path / "study"
    study.mkdir()
    for path in sorted(resource_path("demonstration", "study").iterdir())[12:16]:
        shutil.copy(path, study)
    out = tmp_path / "deep" / "out"
    code, answer = classify(capsys, study, "--out", out, "--device", "cpu")
    assert code == 0
    (finding,) = answer["findings"]
    assert finding["series_instance_uid"].startswith("1.2.826.")
    assert len(finding["slices"]) == 4
    assert (out / finding["saliency"]["file"]).is_file()
    assert not Path(finding["saliency"]["file"]).is_absolute()
    (written,) = out.glob("*.json")
    assert json.loads(written.read_text()) == {**finding, "notice": "Research use only"}
    pictures = sorted(out.glob("*.png"))
    assert [int(path.stem[-3:]) - 1 for path in pictures] == sorted(finding["key_slices"])
    with Image.open(pictures[0]) as picture:
        assert picture.width == 960
        assert "Research use only" in picture.text["Description"]


def test_refused_inputs_do_not_cost_the_others(picture, tmp_path, capsys) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:50])
    blank = tmp_path / "blank.png"
    Image.new("L", (40, 40)).save(blank)
    code, answer = classify(capsys, picture, broken, blank, tmp_path / "nowhere")
    assert code == 1
    assert [finding["source"] for finding in answer["findings"]] == [str(picture)]
    assert {error["source"] for error in answer["errors"]} == {
        str(broken), str(blank), str(tmp_path / "nowhere"),
    }  # fmt: skip
    assert all(error["message"] for error in answer["errors"])


def test_what_has_no_pixels_is_no_error(capsys) -> None:
    code, answer = classify(capsys, get_testdata_file("reportsi.dcm"))
    assert (code, answer) == (0, {"findings": [], "studies": [], "errors": []})


def test_an_empty_folder_is_said(tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    code, answer = classify(capsys, tmp_path / "empty")
    assert code == 1
    assert "Nothing" in answer["errors"][0]["message"]


@pytest.mark.skipif(sys.platform != "linux", reason="names must be Unicode here")
def test_names_that_are_not_unicode(tmp_path, capsys) -> None:
    path = draw(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")))
    code, answer = classify(capsys, path)
    assert code == 0
    assert answer["findings"][0]["source"] == str(path)


def test_table_for_people(tmp_path, capsys) -> None:
    path = draw(tmp_path / "a\x1b[31mb.png")
    assert cli.main(["classify", str(path)]) == 0
    shown = capsys.readouterr()
    assert "a\N{REPLACEMENT CHARACTER}[31mb.png" in shown.out
    assert "Pituitary tumour" in shown.out
    assert "Research use only" in shown.out
    assert shown.err == ""


def test_refusals_for_people(tmp_path, capsys) -> None:
    assert cli.main(["classify", str(tmp_path / "nowhere")]) == 1
    assert "nowhere: There is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify"],
        ["classify", "--explain", "magic", "x"],
        ["classify", "--device", "abacus", "x"],
        ["classify", "--unknown", "x"],
        ["models"],
        ["models", "burn"],
        ["--unknown"],
        ["demo", "surplus"],
    ],
)
def test_wrong_usage(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["nonesuch", "./nonesuch", "../random", ""])
def test_models_that_are_not_there(model, picture, capsys) -> None:
    assert cli.main(["classify", "--model", model, str(picture)]) == 2
    assert capsys.readouterr().err


def test_damaged_model_is_refused_with_the_reason(home, picture, capsys) -> None:
    with (home / "models" / "random" / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    assert cli.main(["classify", str(picture)]) == 2
    assert "SHA-256 differs" in capsys.readouterr().err
    assert cli.main(["models", "verify"]) == 1
    assert "SHA-256 differs" in capsys.readouterr().err


def test_model_by_folder(random_bundle, picture, capsys) -> None:
    code, _ = classify(capsys, picture, "--model", random_bundle, "--explain", "none")
    assert code == 0


def test_out_that_cannot_be_written(picture, tmp_path, capsys) -> None:
    assert cli.main(["classify", str(picture), "--out", str(picture / "out")]) == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_models(home, capsys) -> None:
    (home / "models" / "broken").mkdir()
    assert cli.main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert "* random" in shown
    assert "broken" in shown
    assert "no card.json" in shown
    assert cli.main(["models", "show", "random"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "random"
    assert cli.main(["models", "verify", "random"]) == 0
    assert "in order" in capsys.readouterr().out


def test_choices_are_those_of_the_analysis() -> None:
    from tumorviewer.analysis import device

    assert device.CHOICES == cli.DEVICES


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [([], []), (["a", "b"], ["a", "b"]), (["./demo"], ["./demo"]), (["--", "demo"], ["demo"])],
)
def test_everything_else_opens_the_window(arguments, paths, monkeypatch) -> None:
    from tumorviewer.desktop.shell import app

    opened: list[list[str]] = []
    monkeypatch.setattr(app, "run_window", lambda given: opened.append(given) or 0)
    assert cli.main(arguments) == 0
    assert opened == [paths]


def test_version(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert __version__ in capsys.readouterr().out


def test_interrupted(monkeypatch, picture, capsys) -> None:
    from tumorviewer import classify as job

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "classify_paths", interrupt)
    assert cli.main(["classify", str(picture)]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_closed_pipe() -> None:
    program = [sys.executable, "-m", "tumorviewer", "models", "show"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


def test_status_line_only_on_a_terminal(monkeypatch, capsys) -> None:
    with cli.TerminalStatus() as status:
        status.tell("hidden")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with cli.TerminalStatus() as status:
        status.tell("shown")
    assert "shown" in capsys.readouterr().err
