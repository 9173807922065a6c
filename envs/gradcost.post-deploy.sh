#!/usr/bin/env bash
# Snakemake runs this in a new environment of gradcost.yaml, from the repository's root; the
# environment file itself is copied elsewhere and cannot name the project by a path.
# Editable, so that jobs run the code that was fingerprinted; the constraints pin the dependencies'
# own dependencies.
set -eu
python -m pip install --constraint envs/constraints.txt --editable .
