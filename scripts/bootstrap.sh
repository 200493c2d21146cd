#!/usr/bin/env bash
# Makes .venv exactly as requirements-dev.lock says, with the project itself installed editable.
#
#   scripts/bootstrap.sh        make or refresh .venv
#   scripts/bootstrap.sh uv     only make uv available, and print where it is
#
# Needs a python3 of 3.9 or later with pip to start from, or uv on PATH; everything else is fetched, by hash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TOOLS=.uv # uv, and the Python and cache that it may have to keep
STAMP=.venv/.bootstrapped
SUPPORTED='import sys; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 13))'
TOOL_HOST='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 9))'

say() { printf 'bootstrap: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Every interpreter worth trying, best first. A name is not enough: pyenv's shims exist for versions that are not
# selected and then fail, so whoever reads this list runs each one.
candidates() {
    local name
    for name in python3.13 python3.12; do type -aP "$name" || true; done
    ls -1d "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.13*/bin/python 2>/dev/null | sort -rV || true
    ls -1d "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.12*/bin/python 2>/dev/null | sort -rV || true
    for name in python3 python; do type -aP "$name" || true; done
}

# Print the first candidate that runs the program in $1 with success.
first_that_runs() {
    local python
    while read -r python; do
        if "$python" -c "$1" >/dev/null 2>&1; then
            printf '%s\n' "$python"
            return 0
        fi
    done < <(candidates)
    return 1
}

make_uv() {
    if [ "$TOOLS/bin/uv" -nt requirements-build.lock ] && "$TOOLS/bin/uv" --version >/dev/null 2>&1; then
        return
    fi
    local host
    if host=$(first_that_runs "$TOOL_HOST"); then
        say "uv into $TOOLS with $host"
        rm -rf "$TOOLS/bin" "$TOOLS/lib" "$TOOLS/lib64" "$TOOLS/include" "$TOOLS/pyvenv.cfg"
        "$host" -m venv "$TOOLS"
        "$TOOLS/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
        touch "$TOOLS/bin/uv"
    elif command -v uv >/dev/null; then
        # A Debian python3 without python3-venv cannot make a venv; the machine's own uv will do.
        mkdir -p "$TOOLS/bin"
        ln -sf "$(command -v uv)" "$TOOLS/bin/uv"
    else
        die "needs a Python 3.9 or later with the venv module (Debian: python3-venv), or uv on PATH, to start from"
    fi
}

# uv's own folders are per user; where there is no writable home they go beside it.
if [ ! -w "${HOME:-/nonexistent}" ]; then
    export UV_CACHE_DIR=$PWD/$TOOLS/cache UV_PYTHON_INSTALL_DIR=$PWD/$TOOLS/python
    export PIP_CACHE_DIR=$PWD/$TOOLS/cache/pip
fi
mkdir -p "$TOOLS"
if command -v flock >/dev/null; then
    # Two `make` in one checkout wait for each other.
    exec 9>"$TOOLS/lock"
    flock 9
fi

make_uv
if [ "${1:-}" = uv ]; then
    printf '%s\n' "$TOOLS/bin/uv"
    exit
fi

if ! .venv/bin/python -c "$SUPPORTED" >/dev/null 2>&1; then
    if ! python=$(first_that_runs "$SUPPORTED"); then
        say "no Python 3.12 or 3.13 on this machine, so uv fetches one"
        "$TOOLS/bin/uv" python install 3.13 ||
            die "no Python 3.12 or 3.13 was found, and none could be fetched: install one (pandas-ta needs 3.12 or later, numba 3.13 or earlier)"
        python=3.13
    fi
    say ".venv with $python"
    "$TOOLS/bin/uv" venv --quiet --clear --python "$python" .venv
fi

install() { "$TOOLS/bin/uv" pip install --quiet --python .venv/bin/python "$@"; }
install --require-hashes -r requirements-dev.lock
# hatchling came with the lock: building the project fetches nothing more.
install --no-deps --no-build-isolation --editable .
touch "$STAMP"
say "ready: $(.venv/bin/python --version)"
