#!/usr/bin/env bash
# Sees to it that the report can be typeset: installs LaTeX by apt where it may, and otherwise says
# what to install. Fails when something is still missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages='texlive-latex-base texlive-latex-recommended latexmk lmodern'
programs='latexmk pdflatex'
# What reports/*.tex load that LaTeX itself does not bring.
styles='booktabs.sty caption.sty geometry.sty graphicx.sty hyperref.sty lmodern.sty longtable.sty
    microtype.sty natbib.sty subcaption.sty xcolor.sty'

missing() {
    local program style found
    for program in $programs; do
        command -v "$program" >/dev/null || printf '%s ' "$program"
    done
    # shellcheck disable=SC2086 # one call for all the names
    found=$(kpsewhich $styles 2>/dev/null || true)
    for style in $styles; do
        case "$found" in
        */"$style"*) ;;
        *) printf '%s ' "$style" ;;
        esac
    done
}

if [ -z "$(missing)" ]; then exit 0; fi

# shellcheck disable=SC2086 # a list
if envs/apt.sh $packages && [ -z "$(missing)" ]; then exit 0; fi

cat >&2 <<MESSAGE
latex: the report cannot be typeset here; missing: $(missing)
  Debian, Ubuntu: apt-get install --no-install-recommends $packages (as root)
  Fedora: dnf install latexmk texlive-scheme-basic texlive-collection-latexrecommended texlive-lm
  macOS: brew install --cask mactex-no-gui
  conda: snakemake --profile local --sdm conda, which makes envs/latex.yaml for the report
MESSAGE
exit 1
