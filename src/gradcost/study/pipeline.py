"""What the rules of the workflow need to know: paths, and a plan for every job.

A plan is a small JSON file with everything that can change a job's output: its spec, the
fingerprint of its code and the versions of its packages. The file is named after its
content. Its name is the job's parameter, which Snakemake stores, and runs the job again
when it differs; the job reads the plan, and refuses to run if the code that it finds is not
the code that it was planned with.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from gradcost.study import config, fingerprint, runs
from gradcost.study.files import digest, sha256_file, write_json
from gradcost.study.pretraining import trainer
from gradcost.study.runs import Run

Plan = dict[str, Any]
CHECKPOINTS = "checkpoints"
"""Below a scale's results: what runs under way have come to, and records not yet acknowledged."""
SNAKEMAKE = "snakemake.claim"
"""Beside them: which Snakemake is at work on these results."""


def load_code(plan: Plan) -> None:
    """Import all the code of a plan, and make sure that it is the code of the plan.

    Checked before, so that nothing of other code is run, and after, since an edit may come
    between. From then on no edit can reach the job: what it imports by name is loaded too.

    Raises:
        gradcost.study.fingerprint.CodeChanged: if code or packages are not those of `plan`.
    """
    verify(plan)
    for module in fingerprint.modules(plan["code"]):
        import_module(module)
    verify(plan)


def verify(plan: Plan) -> None:
    """Raise `CodeChanged` unless code and packages on disk are those of `plan`."""
    fingerprint.check(plan["code"], *plan["modules"])
    found = fingerprint.packages(plan["stage"])
    if found != plan["packages"]:
        wrong = [f"{name} {found[name]}" for name in found if found[name] != plan["packages"][name]]
        raise fingerprint.CodeChanged(
            f"installed packages have changed since this job was planned: {', '.join(wrong)}. "
            "Start Snakemake again to plan with them."
        )


def tell_jobs(started: datetime) -> None:
    """Put into the environment what jobs find there; it changes no number.

    Jobs find the Python that runs Snakemake, whether or not its environment is activated, and
    the report says which runs this invocation of Snakemake trained and which it kept.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["GRADCOST_STARTED"] = started.astimezone().isoformat()


@dataclass(frozen=True)
class Pipeline:
    """The study as the rules see it."""

    study: config.Study

    @classmethod
    def load(cls, merged: Mapping[str, Any]) -> Pipeline:
        """Validate the merged configuration and resolve every run.

        Raises:
            gradcost.study.config.ConfigError: listing all faults.
        """
        pipeline = cls(config.load(merged))
        _ = pipeline.grids
        return pipeline

    @cached_property
    def grids(self) -> dict[str, list[Run]]:
        """The runs of each experiment."""
        return runs.plan(self.study)

    @cached_property
    def runs(self) -> list[Run]:
        """The runs of all experiments, each once."""
        return list(dict.fromkeys(run for grid in self.grids.values() for run in grid))

    @cached_property
    def reported(self) -> list[Run]:
        """The runs of the experiments that belong to the report, each once."""
        return list(dict.fromkeys(run for name in self.standing for run in self.grids[name]))

    @property
    def results(self) -> str:
        """The folder of this scale's results."""
        return f"results/{self._name}"

    @property
    def reports(self) -> str:
        """The folder of this scale's tables, figures and report."""
        return f"reports/{self._name}"

    @property
    def _name(self) -> str:
        return self.study.scale + ("-published" if self.study.published else "")

    @property
    def pack(self) -> str:
        """The published records of this scale."""
        return f"reports/published/{self.study.scale}.zip"

    @property
    def unpacked(self) -> str:
        """What says that the published records are where others' would be."""
        return f"{self.results}/unpacked"

    @property
    def standing(self) -> list[str]:
        """The experiments that belong to the report; the others run when asked for by name."""
        return self.study.standing

    def records(self, experiment: str) -> list[str]:
        """The records of an experiment's runs, or what says that those published are there."""
        if self.study.published:
            return [self.unpacked]
        return [f"{self.results}/{run.path}/record.json" for run in self.grids[experiment]]

    def artefacts(self, experiment: str) -> list[str]:
        """The tables and figures of an experiment."""
        grid = self.study.experiments[experiment]
        tables = [*grid.tables, *(["learning-rates"] if grid.screening else [])]
        return [f"{self.reports}/{experiment}/{name}.tex" for name in tables] + [
            f"{self.reports}/{experiment}/{name}.{suffix}"
            for name in grid.figures
            for suffix in ("pdf", "svg")
        ]

    def data_plan(self, task: str) -> str:
        """The plan of preparing a task's data."""
        return self._plan(
            "data",
            ["gradcost.tasks.prepare", _dataset(self.study.tasks[task].dataset)],
            spec=runs.data_spec(self.study, task),
        )

    def model_plan(self, model: str) -> str:
        """The plan of making a model's weights available."""
        pretraining = self.study.models[model].pretraining
        corpora = {
            task: runs.data_spec(self.study, task)
            for task in (pretraining.corpora if pretraining else [])
        }
        datasets = sorted({_dataset(spec["dataset"]) for spec in corpora.values()})
        modules = ["gradcost.models.store", *datasets]
        if pretraining:
            modules.append(trainer(pretraining.model_dump()))
        return self._plan(
            "model" if pretraining else "data",
            modules,
            spec=runs.model_spec(self.study, model),
            corpora=corpora,
        )

    def model_threads(self, model: str) -> int:
        """The CPU threads that making a model available takes."""
        pretraining = self.study.models[model].pretraining
        return pretraining.threads if pretraining else 1

    def token_plan(self, model: str, task: str) -> str:
        """The plan of tokenising a task for a model."""
        spec = runs.token_spec(self.study, model, task)
        modules = ["gradcost.tasks.tokens", "gradcost.models.store"]
        if "image_size" in spec:
            modules.append("gradcost.models.vision")
        return self._plan("data", modules, spec=spec)

    def train_plan(self, run: Run) -> str:
        """The plan of a run."""
        spec = runs.spec(self.study, run)
        modules = ["gradcost.training.run"]
        modules += _estimators(spec["method"])
        if spec["model"]["trainable"] == "sparse":
            modules.append("gradcost.models.sparse")
        if spec["method"]["objective"] == "label-words":
            modules.append("gradcost.models.label_words")
        if spec["method"]["objective"] == "answer":
            modules += ["gradcost.models.answers", "gradcost.training.answers"]
        if spec["model"].get("quantisation") == "gptq":
            modules.append("gradcost.models.gptq")
        if spec["model"].get("image_size") is None:
            return self._plan("train", modules, run=asdict(run), spec=spec)
        modules.append("gradcost.models.vision")
        return self._plan("train-images", modules, run=asdict(run), spec=spec)

    def aggregate_plan(self, experiment: str) -> str:
        """The plan of an experiment's tidy tables."""
        presentation = self.presentation(experiment)
        return self._plan("results", ["gradcost.results.tidy"], presentation=presentation)

    def contents_plan(self) -> str:
        """The plan of what the report is of."""
        places = {name: f"experiments/{name}/manifest.json" for name in self.standing}
        places |= self._parts
        records = {
            name: os.path.relpath(Path(self.results, place), self.reports)
            for name, place in places.items()
        }
        return self._plan("results", ["gradcost.tables.contents"], records=records)

    def settings_plan(self) -> str:
        """The plan of the table of what experiments set otherwise than the first."""
        return self._plan("results", ["gradcost.tables.settings"])

    @property
    def manifests(self) -> list[str]:
        """The tidy tables of the experiments of the report, in its order."""
        return [f"{self.results}/experiments/{name}/manifest.json" for name in self.standing]

    @property
    def _parts(self) -> dict[str, str]:
        """Parts of the report that are of no experiment, and what they are made from."""
        accounting = {"accounting": "accounting"} if self.study.accounting else {}
        return accounting | {"theory": "theory/theory.json", "claims": "claims.json"}

    def artefact_plan(self, kind: str, name: str) -> str:
        """The plan of a table or figure; `kind` is `tables` or `figures`, or a package therein."""
        module = f"gradcost.{kind}.{name.replace('-', '_')}"
        return self._plan("results", [module], module=module)

    def screening_plan(self) -> str:
        """The plan of choosing learning rates."""
        return self._plan("results", ["gradcost.results.screening"])

    @property
    def sheets(self) -> list[str]:
        """The sheets of prices."""
        return [f"{self.results}/accounting/{name}.json" for name in self.study.accounting]

    @property
    def computed(self) -> list[str]:
        """What is computed beside runs, and published with their records."""
        return [*self.sheets, self.theory]

    def sheet_plan(self, name: str) -> str:
        """The plan of pricing a sheet."""
        spec = runs.sheet_spec(self.study, name)
        methods = [entry["method"] for entry in spec["methods"]]
        modules = {module for method in methods for module in _estimators(method)}
        if any(entry["sparse"] for entry in spec["methods"]):
            modules.add("gradcost.models.sparse")
        if any(method["objective"] == "label-words" for method in methods):
            modules.add("gradcost.models.label_words")
        return self._plan("train", ["gradcost.planning.sheet", *sorted(modules)], spec=spec)

    def forecast_plan(self, steps: list[dict[str, Any]]) -> str:
        """The plan of a forecast of memory: no code is in it, since runs do not depend on it."""
        return self._plan("forecast", [], steps=steps)

    @property
    def accounting_artefacts(self) -> list[str]:
        """The tables and figures of prices."""
        return self._artefacts_of("accounting") if self.study.accounting else []

    @property
    def theory(self) -> str:
        """What was verified of the lemmas and theorems: the same at every scale."""
        return f"{self.results}/theory/theory.json"

    def theory_plan(self) -> str:
        """The plan of verifying lemmas and theorems."""
        return self._plan("theory", ["gradcost.theory.verify"])

    @property
    def theory_artefacts(self) -> list[str]:
        """The tables and figures of what was verified."""
        return self._artefacts_of("theory")

    @property
    def claims(self) -> str:
        """The verdict on every claim of the paper."""
        return f"{self.results}/claims.json"

    @property
    def evidence(self) -> list[str]:
        """What claims are judged on."""
        return [*self.manifests, *self.sheets, self.theory]

    def claims_plan(self) -> str:
        """The plan of judging the claims; the paper's numbers are part of it."""
        files = sorted((fingerprint.SOURCE / "results").glob("paper*.csv"))
        return self._plan(
            "results",
            ["gradcost.results.claims.judge"],
            scale=self.study.scale,
            paper={path.name: sha256_file(path) for path in files},
        )

    @property
    def claims_artefacts(self) -> list[str]:
        """The tables of the claims."""
        return self._artefacts_of("claims")

    def _artefacts_of(self, folder: str) -> list[str]:
        return [
            f"{self.reports}/{folder}/{name}.{suffix}"
            for kind, suffixes in (("tables", ("tex",)), ("figures", ("pdf", "svg")))
            for name in config.modules_of(kind, folder)
            for suffix in suffixes
        ]

    def presentation(self, experiment: str) -> dict[str, Any]:
        """Labels and order of an experiment's rows: what changes looks and no number."""
        study, grid = self.study, self.study.experiments[experiment]
        return {
            "experiment": experiment,
            "title": grid.title,
            "scale": study.scale,
            "models": [{"name": n, "label": study.models[n].label} for n in grid.models],
            "tasks": [
                {"name": n, "label": study.tasks[n].label, "paper": study.tasks[n].paper}
                for n in grid.tasks
            ],
            "methods": [
                {"name": n, "label": study.methods[n].label, "family": study.methods[n].family}
                for n in grid.methods
            ],
            "settings": [{"name": n, "label": study.settings[n].label or n} for n in grid.settings],
            "runs": [asdict(run) for run in self.grids[experiment]],
        }

    def _plan(self, stage: str, modules: list[str], **contents: Any) -> str:
        plan = {
            "stage": stage,
            "modules": modules,
            "code": fingerprint.fingerprint(*modules),
            "packages": fingerprint.packages(stage),
            **contents,
        }
        path = Path(self.results, "plans", f"{digest(plan)[:24]}.json")
        if not path.exists():
            write_json(path, plan)
        return str(path)


def _estimators(method: Mapping[str, Any]) -> list[str]:
    """The modules that a method names by its kinds."""
    kinds = [method[key] for key in ("estimator", "variance_reduction") if method.get(key)]
    return [f"gradcost.estimators.{one['kind'].replace('-', '_')}" for one in kinds]


def _dataset(name: str) -> str:
    return f"gradcost.tasks.{name.replace('-', '_')}"


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """What differs between two plans, one line a key: the reason why a job runs again."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        found = [differences(old.get(key), new.get(key), f"{path}{key}: ") for key in keys]
        return [line for lines in found for line in lines]
    return [] if old == new else [f"{path}{old} -> {new}"]
