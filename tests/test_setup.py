"""The set-up, with a Python that only pretends; and the lock that the real one installs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON = """#!/bin/bash
echo "python $*" >>"$LOG"
case "$*" in
    "-c import sys; sys.exit"*) [[ -z $OLD ]] ;;
    "-c import sys; print"*) echo 3.11 ;;
    "-c import ensurepip, venv") [[ -z $NO_VENV ]] ;;
    "-m venv --clear .venv")
        rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python
        echo "#!$(pwd -P)/.venv/bin/python" >.venv/bin/pip ;;
    *uv-only.lock) printf '#!/bin/bash\\necho "uv $*" >>"$LOG"; [[ -z $NO_UV ]]\\n' >.venv/bin/uv
        chmod +x .venv/bin/uv ;;
    *"-r requirements.lock") [[ -z $NO_NETWORK ]] ;;
    *missing_libraries*) echo "$MISSING" ;;
    "--version") echo "Python 3.9.2" ;;
esac
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="make setup is for Linux")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "check out"
    (folder / "packaging").mkdir(parents=True)
    shutil.copy(ROOT / "packaging" / "setup.sh", folder / "packaging")
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    for name in ("python3", *(f"python3.{minor}" for minor in range(11, 15))):
        (fakes / name).write_text(PYTHON)
        (fakes / name).chmod(0o755)
    return folder


def set_up(checkout: Path, **conditions: str) -> tuple[int, str, list[str]]:
    """Exit code, what was said, and what was called."""
    log = checkout / "log"
    log.unlink(missing_ok=True)
    path = f"{checkout.parent / 'fakes'}:/usr/bin:/bin"
    ran = subprocess.run(
        ["bash", "packaging/setup.sh"],
        cwd=checkout,
        env={"PATH": path, "LOG": str(log), "HOME": str(checkout)} | conditions,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return ran.returncode, ran.stdout + ran.stderr, log.read_text().splitlines()


def made_venv(calls: list[str]) -> bool:
    return "python -m venv --clear .venv" in calls


def installed(calls: list[str]) -> bool:
    return any(call.startswith("uv pip sync") for call in calls)


def test_first_time_then_quick(checkout) -> None:
    code, said, calls = set_up(checkout)
    assert code == 0
    assert made_venv(calls)
    assert installed(calls)
    assert "The environment is ready." in said
    code, said, calls = set_up(checkout)
    assert (code, said, len(calls)) == (0, "", 1)


def test_only_uv_itself_is_left_to_pip(checkout) -> None:
    set_up(checkout)
    lines = (checkout / ".venv" / "uv-only.lock").read_text().splitlines()
    assert [line.split("==")[0] for line in lines if not line.startswith(" ")] == ["uv"]
    assert "--hash=sha256:" in lines[1]


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_change_is_installed_into_what_is_there(checkout, name) -> None:
    set_up(checkout)
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    code, _, calls = set_up(checkout)
    assert code == 0
    assert installed(calls)
    assert not made_venv(calls)


def test_an_interrupted_set_up_is_started_over(checkout) -> None:
    code, said, _ = set_up(checkout, NO_UV="1", NO_NETWORK="1")
    assert code == 1
    assert "Is there a network?" in said
    code, _, calls = set_up(checkout)
    assert code == 0
    assert made_venv(calls)


def test_pip_where_uv_fails(checkout) -> None:
    code, said, calls = set_up(checkout, NO_UV="1")
    assert code == 0
    assert "trying pip" in said
    assert any("--require-hashes -r requirements.lock" in call for call in calls)


def test_a_moved_checkout_is_made_anew(checkout) -> None:
    set_up(checkout)
    moved = checkout.rename(checkout.with_name("elsewhere"))
    _, _, calls = set_up(moved)
    assert made_venv(calls)


def test_a_python_that_is_gone(checkout) -> None:
    set_up(checkout)
    (checkout / ".venv" / "bin" / "python").unlink()
    (checkout / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    code, _, calls = set_up(checkout)
    assert code == 0
    assert made_venv(calls)


def test_old_pythons_are_named(checkout) -> None:
    code, said, _ = set_up(checkout, OLD="1")
    assert code == 1
    assert "Python 3.11 or newer is needed" in said
    assert "Python 3.9.2" in said


def test_missing_venv_is_named(checkout) -> None:
    code, said, _ = set_up(checkout, NO_VENV="1")
    assert code == 1
    assert "sudo apt-get install python3.11-venv" in said


def test_missing_libraries_are_named_each_time(checkout) -> None:
    for _ in range(2):
        code, said, _ = set_up(checkout, MISSING="libegl1 libgl1")
        assert code == 1
        assert "sudo apt-get install libegl1 libgl1" in said


def test_the_lock_names_no_host_and_hashes_everything() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert all(re.match(r"[\w.-]+==[\w.]+", entry) for entry in entries)


def test_the_lock_has_every_requirement() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in wanted}
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert names <= {normal(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_a_wheel_carries_the_resources(tmp_path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("tumorviewer", "trainer", "resources"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=copy, check=True, capture_output=True, env=os.environ)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "tumorviewer/resources/demonstration/study/IM0001.dcm" in names
    assert {"tumorviewer/cli.py", "trainer/__init__.py"} <= names
    assert {"tumorviewer/py.typed", "trainer/py.typed"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "packaging/", "resources/")) for name in names)
