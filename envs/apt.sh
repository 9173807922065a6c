#!/usr/bin/env bash
# apt.sh PACKAGE...: installs Debian packages where that can be done without asking anyone: by root,
# or with a sudo that wants no password. Anywhere else it fails, and its caller says what to do.
set -euo pipefail

command -v apt-get >/dev/null || exit 1
if [ "$(id -u)" = 0 ]; then
    sudo=
elif sudo -n true 2>/dev/null; then
    sudo='sudo -n'
else
    exit 1
fi

# apt waits for another apt only when told to.
apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600"

printf 'setup: installing with apt-get: %s\n' "$*" >&2
$apt update </dev/null || true # with an older list at hand the installation may still work
$apt install --yes --no-install-recommends "$@" </dev/null >/dev/null
