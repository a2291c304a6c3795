#!/usr/bin/env bash
# Makes .venv in the checkout from requirements.lock. Quick when nothing changed; an interrupted
# set-up is started over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=.venv
done_stamp=$venv/.setup-done          # fingerprint of what was installed
unfinished=$venv/.setup-unfinished    # there while packages are being installed
needed_gib=9

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "set-up: $1" "${@:2}" >&2; exit 1; }

fingerprint() {
    { pwd -P; cat requirements.lock pyproject.toml packaging/setup.sh; } | cksum
}

usable() {  # PYTHON NEWEST: runs, and is 3.11 up to 3.NEWEST
    "$1" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $2))" 2>/dev/null
}

find_python() {
    local candidate newest
    for newest in 13 14; do
        for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
            if usable "$candidate" "$newest"; then
                echo "$candidate"
                return
            fi
        done
    done
    fail "Python 3.11 or newer is needed; none was found (python3 is $(python3 --version 2>&1 || true))." \
        "Debian 12 or Ubuntu 24.04 and later have it: sudo apt-get install python3 python3-venv"
}

make_venv() {
    local python version free_kib
    python=$(find_python)
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    free_kib=$(df -Pk . | awk 'NR == 2 { print $4 }')
    if ((free_kib < needed_gib * 1024 * 1024)); then
        fail "$((free_kib / 1024 / 1024)) GiB are free here; $needed_gib GiB are needed (PyTorch is large)."
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        fail "this Python $version cannot make an environment. Install what is missing:" \
            "    sudo apt-get install python$version-venv"
    fi
    say "Making $venv with Python $version."
    "$python" -m venv --clear "$venv"
}

install_uv() {  # the version in the lock, if pip can get it
    awk '/^[^ ]/ { wanted = /^uv==/ } wanted' requirements.lock >"$venv/uv-only.lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --only-binary :all: -r "$venv/uv-only.lock" && "$venv/bin/uv" --version >/dev/null
}

install_packages() {
    say "Installing the packages of requirements.lock (about 3 GB to fetch the first time)."
    if install_uv && "$venv/bin/uv" pip sync --python "$venv/bin/python" --require-hashes \
        --compile-bytecode requirements.lock; then
        return
    fi
    say "uv could not do it; trying pip, which takes several minutes."
    "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes \
        -r requirements.lock \
        || fail "the packages could not be installed; see the message above. Is there a network?"
}

install_ourselves() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --no-build-isolation --editable .
}

name_missing_libraries() {  # of Qt, for a window that nobody sees; a visible one asks for itself
    local missing
    missing=$("$venv/bin/python" -c \
        'from tumorviewer.desktop.shell import screen; print(*screen.find_missing_libraries(x11=False))')
    if [[ -n $missing ]]; then
        fail "the window's toolkit (Qt) lacks system libraries. Install them:" \
            "    sudo apt-get install $missing"
    fi
}

is_whole() {  # not interrupted, its Python still there, made in this very place
    [[ ! -e $unfinished ]] && "$venv/bin/python" -m pip --version >/dev/null 2>&1 \
        && head -n 2 "$venv/bin/pip" | grep -qF "$(pwd -P)/"
}

main() {
    local wanted
    exec 9<packaging/setup.sh
    if command -v flock >/dev/null; then
        flock 9    # two set-ups at once take turns
    fi
    wanted=$(fingerprint)
    if [[ "$(cat "$done_stamp" 2>/dev/null)" != "$wanted" || ! -x $venv/bin/python ]]; then
        is_whole || make_venv
        rm -f "$done_stamp"
        touch "$unfinished"
        install_packages
        install_ourselves
        rm "$unfinished"
        printf '%s\n' "$wanted" >"$done_stamp.new"
        mv "$done_stamp.new" "$done_stamp"
        say "The environment is ready."
    fi
    name_missing_libraries
}

main
