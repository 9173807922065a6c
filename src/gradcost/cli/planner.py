"""What `gradcost plan` does with its options."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from rich.console import Console

from gradcost.cli.app import tell
from gradcost.planning import plan, study_ahead
from gradcost.planning import rate as rates
from gradcost.planning.rate import Rate
from gradcost.study import architectures, devices, runs
from gradcost.study import config as configuration
from gradcost.study.config import ConfigError, Sheet

Form = Literal["table", "json", "csv"]


class Planner:
    """The study, and the device that it is priced for.

    Args:
        files: config.yaml and overlays; default: that of this folder, or of the sources.
        gpu: name of a card.
        rate: `90TFLOPS`, the path of a record, or `measured`; default: the card's.
        dtype: of the products whose rate is asked for.
        processes: default: one a core, up to four.

    Raises:
        ConfigError, UnknownDevice, BadRecord: all are kinds of `ValueError`.
    """

    def __init__(
        self,
        files: list[Path] | None,
        gpu: str | None,
        rate: str | None,
        dtype: str,
        processes: int | None,
    ) -> None:
        here = Path("config.yaml")
        own = here if here.exists() else Path(__file__).parents[3] / "config.yaml"
        self.files = files or [own]
        self.study = configuration.read(*self.files)
        self.card = devices.load(gpu) if gpu else None
        self.rate = self._rate(rate, dtype)
        self.processes = processes or min(len(os.sched_getaffinity(0)), 4)

    def step(
        self,
        model: str,
        methods: list[str] | None,
        options: dict[str, Any],
        gpu_memory: str | None,
        reserve: str,
        form: Form,
        plot: Path | None,
    ) -> str:
        """What a step of each method costs on a model, as text; and drawn, if `plot` is given."""
        spec = runs.sheet_spec(self.study, "plan", self._sheet(model, methods, options))
        memory = self.card.memory if self.card else None
        if gpu_memory:
            memory = devices.memory(gpu_memory)
        card = None if memory is None else plan.Card(memory, devices.memory(reserve))
        found = plan.answer(spec, card, self.rate, self.processes, tell)
        if plot is not None:
            _draw(found, plot)
        return _text(plan, found, form)

    def study_ahead(self, form: Form) -> str:
        """What the runs of the study that are to do cost, as text."""
        found = study_ahead.answer(self.study, self.files, self.rate, self.processes, tell)
        return _text(study_ahead, found, form)

    def _sheet(self, model: str, methods: list[str] | None, options: dict[str, Any]) -> Sheet:
        """The options as a sheet of prices."""
        encoder = architectures.load(model).config["model_type"] in ("bert", "roberta")
        quantisation = options["quantisation"]
        if quantisation is None and not encoder and options["trainable"] != "all":
            quantisation = "nf4"
        described = [
            name
            for family in ("bp", "zo", "fmad")
            for name, method in self.study.methods.items()
            if method.family == family and not name.endswith("-published")
        ]
        given: dict[str, Any] = {"title": f"A step of {model}", "architecture": model}
        given |= {"methods": methods or described} | options
        given["quantisation"] = None if quantisation == "none" else quantisation
        try:
            sheet = Sheet.model_validate(given)
        except ValidationError as error:
            faults = [configuration.explain(one, Sheet) for one in error.errors()]
        else:
            faults = list(configuration.sheet_faults(self.study, sheet, ""))
            if not faults:
                return sheet
        raise ConfigError("; ".join(f"--{fault}" for fault in faults))

    def _rate(self, text: str | None, dtype: str) -> Rate | None:
        if text == "measured":
            return rates.measured(dtype)
        if text is not None and text.endswith(".json"):
            return rates.of_record(Path(text))
        if text is not None:
            return Rate(devices.rate(text), "as given")
        return rates.of_card(self.card, dtype) if self.card else None


def _text(shown: Any, found: dict[str, Any], form: Form) -> str:
    if form == "json":
        return json.dumps(found, indent=1) + "\n"
    if form == "csv":
        return str(shown.as_csv(found))
    # where no terminal says how wide it is, no column is cut
    console = Console(width=None if sys.stdout.isatty() else 200, file=io.StringIO(), record=True)
    console.print(shown.table(found))
    lines = console.export_text(styles=sys.stdout.isatty()).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _draw(found: dict[str, Any], path: Path) -> None:
    from gradcost.figures.accounting import memory
    from gradcost.figures.save import save
    from gradcost.results import accounting

    limit = found["memory_bytes"]
    data = accounting.Accounting.of([accounting.Sheet.model_validate(found)])
    save(memory.draw_steps(data, None if limit is None else limit / plan.GB), path)
