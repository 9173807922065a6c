#!/usr/bin/env bash
# typeset.sh reports/SCALE/report.pdf: typesets reports/report.tex with the tables and figures that lie
# beside that file into it, the same bytes from the same inputs, and leaves nothing else there.
set -euo pipefail
cd "$(dirname "$1")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# No date of today in the file.
export SOURCE_DATE_EPOCH=0 FORCE_SOURCE_DATE=1

if command -v latexmk >/dev/null; then
    latexmk -pdf -norc -interaction=nonstopmode -halt-on-error -file-line-error \
        -jobname=report -outdir="$work" ../report.tex
elif command -v tectonic >/dev/null; then
    tectonic --outdir "$work" ../report.tex
else
    echo "neither latexmk nor tectonic is here: envs/latex.sh says what to install" >&2
    exit 1
fi
mv "$work/report.pdf" report.pdf
