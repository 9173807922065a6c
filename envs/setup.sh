#!/usr/bin/env bash
# Makes .venv: the project, editable, and its dependencies at the versions of envs/constraints.txt.
# The Makefile calls it when something it depends on has changed.
#
#   PYTHON=/path/to/python3 envs/setup.sh      with that Python instead of the first one found
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$(pwd -P)
python=.venv/bin/python
ready=.venv/ready # last to be written: a .venv without it was interrupted
constraints=envs/constraints.txt

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}

find_python() {
    local candidate
    # 3.11 first: the pins were resolved and tested with it.
    for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14}; do
        # Ask the interpreter where it really is: this one may be a version manager's stand-in, or
        # belong to a virtual environment, .venv itself included, that will go.
        if "$candidate" -c 'import sys
if sys.version_info < (3, 11): sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))' 2>/dev/null; then
            return
        fi
    done
    die "no Python 3.11 or newer among: ${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14}.
  Debian 12 or newer, Ubuntu 24.04 or newer: apt-get install python3 python3-venv
  Fedora: dnf install python3     macOS: brew install python@3.11     cluster: module load python
  conda: conda create -n python3.11 python=3.11, then activate it
  or name one that is elsewhere: PYTHON=/path/to/python3 make ..."
}

make_venv() {
    local base version
    base=$(find_python)
    version=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    # Debian splits venv off its Python.
    if ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
        envs/apt.sh "python$version-venv" || die "$base cannot make virtual environments.
  Debian and Ubuntu: apt-get install python$version-venv (as root)
  or name a Python that can: PYTHON=/path/to/python3 make ..."
    fi
    say "making .venv with $base (Python $version)"
    "$base" -m venv --clear .venv
}

# The two installers have one contract: everything in .venv when they return 0.
install_with_uv() {
    local uv settings
    if ! uv=$(command -v uv); then
        "$python" -m pip install --quiet --constraint "$constraints" uv || return 1
        uv=.venv/bin/uv
    fi
    # Wheels at hand, mirrors and certificates are configured for pip, and uv does not look there.
    settings=$("$python" -m pip config list | "$python" envs/uv_settings.py) || return 1
    say "installing the packages with uv: seconds to minutes"
    # Compiled now, once, and not by the first jobs, all at the same time.
    (
        eval "$settings"
        "$uv" pip install --quiet --python "$python" --compile-bytecode \
            --constraint "$constraints" --build-constraint "$constraints" --editable '.[dev]'
    )
}

install_with_pip() {
    say "installing the packages with pip: minutes"
    "$python" -m pip install --quiet --constraint "$constraints" --editable '.[dev]'
}

# A `user = true` for everyday installations would make pip refuse to install into .venv.
export PIP_USER=0

if [ "$(cat "$ready" 2>/dev/null)" = "$root" ] && "$python" -m pip --version >/dev/null 2>&1; then
    say "bringing .venv up to date"
else
    # Half an installation can look like a whole one, and a moved one runs the other tree's code.
    if [ -e .venv ]; then say ".venv is unfinished or was made elsewhere: making it anew"; fi
    make_venv
fi
rm -f "$ready"

install_with_uv || {
    say "uv did not do: see above"
    install_with_pip
} || die "the packages could not be installed: see above.
  If it was the network: is there a proxy to name in HTTPS_PROXY, or a mirror for pip to use
  (pip config set global.index-url ...)? Both are respected. Then call make again."

printf '%s\n' "$root" >"$ready"
say ".venv is ready"
