#!/usr/bin/env bash
# Sees to it that a Slurm cluster can be started for the tests: installs Slurm, munge and MariaDB's
# server, and another scheduler, by apt where it may, and otherwise says what to install. Fails when something is still
# missing. No service is started or enabled: tests/slurm starts daemons of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The daemons are in folders that are not on everyone's PATH.
PATH=$PATH:/usr/sbin:/sbin
# The server without its service, which mariadb-server would add.
packages='munge slurmctld slurmd slurm-client slurmdbd mariadb-server-core task-spooler'
programs='munged slurmctld slurmd slurmdbd sbatch sacct sacctmgr mariadbd tsp'

missing() {
    local program
    for program in $programs; do
        command -v "$program" >/dev/null || printf '%s ' "$program"
    done
}

if [ -z "$(missing)" ]; then exit 0; fi

services=
for service in munge slurmctld slurmd slurmdbd; do
    if [ ! -e "/etc/init.d/$service" ]; then services="$services $service"; fi
done

# Nothing makes way for it, as MySQL would for MariaDB.
# shellcheck disable=SC2086 # a list
if envs/apt.sh --no-remove $packages; then
    if [ "$(id -u)" = 0 ]; then sudo=; else sudo='sudo -n'; fi
    # Some of them would start on installation, or with the machine.
    for service in $services; do
        $sudo service "$service" stop
        $sudo update-rc.d "$service" disable
    done >/dev/null 2>&1 || true
    if [ -z "$(missing)" ]; then exit 0; fi
fi

cat >&2 <<MESSAGE
slurm: no Slurm cluster can be started here; missing: $(missing)
  Debian 12, Ubuntu 24.04 or newer: apt-get install --no-install-recommends $packages (as root)
MESSAGE
exit 1
