"""The report: it compiles, says what the data say, and nothing that was typed by hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gradcost.figures import cost as cost_figure
from gradcost.figures import (
    gradient_norms,
    learning_curves,
    loss_curves,
    time_to_accuracy,
    trade_off,
)
from gradcost.figures import variance_reductions as variance_reductions_figure
from gradcost.figures.accounting import depth, frontier, memory
from gradcost.figures.save import save
from gradcost.results import screening
from gradcost.results.accounting import Accounting
from gradcost.results.tidy import Tidy
from gradcost.tables import (
    accuracy,
    accuracy_variance,
    contents,
    cost,
    hyperparameters,
    learning_rates,
    numbers,
    paper_accuracies,
    paper_settings,
    provenance,
    related_work,
    say,
    settings,
    variance_reductions,
)
from gradcost.tables.accounting import bounds, computation, memory_breakdown, shape
from gradcost.tables.accounting import numbers as priced_numbers
from tests.results.synthetic import FAILURES, study
from tests.results.synthetic_accounting import accounting, sheet, step

SOURCES = Path(__file__).parents[2] / "reports"
WRITTEN = sorted([*SOURCES.glob("*.tex"), *SOURCES.glob("parts/*.tex")])  # the rest is generated
needs_latex = pytest.mark.skipif(
    shutil.which("latexmk") is None, reason="latexmk is not installed (see envs/latex.sh)"
)


def lay_out(data: Tidy, root: Path) -> Path:
    """What the workflow puts into reports/<scale>/, and the sources beside it."""
    root.mkdir(parents=True, exist_ok=True)
    for source in SOURCES.glob("*.tex"):
        shutil.copy(source, root)
    shutil.copytree(SOURCES / "parts", root / "parts")
    out = root / "demo" / "accuracy"
    out.mkdir(parents=True)
    tables = {
        "accuracy": accuracy, "cost": cost, "hyperparameters": hyperparameters,
        "numbers": numbers, "provenance": provenance, "variance-reductions": variance_reductions,
        "accuracy-variance": accuracy_variance,
        "related-work": related_work, "say": say, "paper-settings": paper_settings,
        "paper-accuracies": paper_accuracies,
    }  # fmt: skip
    for name, module in tables.items():
        (out / f"{name}.tex").write_text(module.render(data))
    figures = {
        "learning-curves": learning_curves, "cost": cost_figure, "trade-off": trade_off,
        "variance-reductions": variance_reductions_figure, "time-to-accuracy": time_to_accuracy,
        "loss-curves": loss_curves, "gradient-norms": gradient_norms,
    }  # fmt: skip
    for name, drawing in figures.items():
        save(drawing.draw(data), out / f"{name}.pdf")
    screening.choose(data).to_csv(root / "screening.csv", index=False)
    (out / "learning-rates.tex").write_text(learning_rates.render(root / "screening.csv"))
    text = contents.render({"accuracy": "../../results/demo/experiments/accuracy/manifest.json"})
    (root / "demo" / "contents.tex").write_text(text)
    (root / "demo" / "settings.tex").write_text(settings.write([data]))
    return root / "demo"


def add_prices(data: Accounting, folder: Path) -> None:
    """The tables and figures of prices, beside an experiment's."""
    out = folder / "accounting"
    out.mkdir()
    tables = {
        "computation": computation, "memory-breakdown": memory_breakdown, "bounds": bounds,
        "numbers": priced_numbers, "shape": shape,
    }  # fmt: skip
    for name, module in tables.items():
        (out / f"{name}.tex").write_text(module.render(data))
    for name, drawing in {"memory": memory, "frontier": frontier, "depth": depth}.items():
        save(drawing.draw(data), out / f"{name}.pdf")


def typeset(folder: Path, work: Path) -> subprocess.CompletedProcess[str]:
    """As envs/typeset.sh does."""
    return subprocess.run(
        ["latexmk", "-pdf", "-norc", "-interaction=nonstopmode", "-halt-on-error",
         "-jobname=report", f"-outdir={work}", "../report.tex"],
        cwd=folder, capture_output=True, text=True, check=False, errors="replace",
        env={**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"},
    )  # fmt: skip


def text_of(pdf: Path) -> str:
    from pypdf import PdfReader

    text = " ".join(page.extract_text() for page in PdfReader(pdf).pages)
    return re.sub(r"\s+", " ", text)


@needs_latex
def test_the_report_compiles_to_the_same_bytes_and_holds_the_numbers(tmp_path: Path) -> None:
    folder = lay_out(study(tmp_path / "data"), tmp_path / "reports")
    for name in ("one", "two"):
        done = typeset(folder, tmp_path / name)
        assert done.returncode == 0, done.stdout[-3000:]
    pdf = tmp_path / "one" / "report.pdf"
    assert pdf.read_bytes() == (tmp_path / "two" / "report.pdf").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == [
        "accuracy",
        "contents.tex",
        "settings.tex",
    ]
    log = (tmp_path / "one" / "report.log").read_text(errors="replace")
    assert "Overfull" not in log
    assert "undefined" not in log
    text = text_of(pdf)
    for part in ("77.0", "114 runs", "36 pairs of FMAD and ZO", "target is 61", "The demo scale"):
        assert part in text
    assert str(tmp_path).encode() not in pdf.read_bytes()


@needs_latex
@pytest.mark.parametrize("sheets", ["all", "one"])
def test_prices_have_a_section_where_there_are_some(sheets: str, tmp_path: Path) -> None:
    small = study(tmp_path / "data", methods=("bp-vanilla", "zo-vanilla"), seeds=(0,))
    folder = lay_out(small, tmp_path / "reports")
    one = [sheet("llama-3.1-8b", "LLaMA & co", [step("zo-vanilla")])] if sheets == "one" else []
    add_prices(accounting(tmp_path / "sheets", *one), folder)
    done = typeset(folder, tmp_path / "work")
    assert done.returncode == 0, done.stdout[-3000:]
    log = (tmp_path / "work" / "report.log").read_text(errors="replace")
    assert "Overfull" not in log
    assert "undefined" not in log
    text = text_of(tmp_path / "work" / "report.pdf")
    assert "Cost at the paper’s scale" in text
    if sheets == "all":
        for part in ("6 agree with the paper", "12.10 GB", "grows more", "BP-Offload + 3.20 host"):
            assert part in text


@needs_latex
def test_a_report_on_failed_runs_says_so(tmp_path: Path) -> None:
    data = study(tmp_path / "data", FAILURES)
    runs = data.runs.copy()
    runs.loc[runs["task"] == "r8-4", "test_accuracy_published"] = 0.987
    folder = lay_out(Tidy(runs, data.history, data.presentation), tmp_path / "reports")
    done = typeset(folder, tmp_path / "work")
    assert done.returncode == 0, done.stdout[-3000:]
    text = text_of(tmp_path / "work" / "report.pdf")
    assert "As published: by the scorers of the paper’s public code" in text
    assert "Cost at the paper’s scale" not in text  # nothing was priced
    for part in ("2 of 3 diverged", "1 of 3 out-of-memory", "3 of 3 missing", "Of 114 runs 108"):
        assert part in text


@needs_latex
def test_a_number_that_is_not_there_stops_the_build(tmp_path: Path) -> None:
    folder = lay_out(study(tmp_path / "data"), tmp_path / "reports")
    path = folder / "accuracy" / "numbers.tex"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith(r"\defresult{seeds}")))
    done = typeset(folder, tmp_path / "work")
    assert done.returncode != 0
    assert "no result is called seeds" in done.stdout
    assert not (tmp_path / "work" / "report.pdf").exists()


@pytest.mark.parametrize("source", WRITTEN, ids=lambda path: path.name)
def test_no_number_is_typed_into_the_prose(source: Path) -> None:
    text = re.sub(r"(?<!\\)%.*", "", source.read_text())
    text = text.partition(r"\begin{document}")[2] or text
    text = re.sub(r"\\newcommand.*?\n\n", "", text, flags=re.DOTALL)
    for formal in (
        r"\\begin\{thebibliography\}.*?\\end\{thebibliography\}",
        r"\\begin\{tabular\}.*?\\end\{tabular\}",  # the methods' mathematics
        r"\$[^$]*\$",
        r"\\\[.*?\\\]",
        r"\b(float|bfloat)(16|32|64)\b",
        r"\\renewcommand\{\\arraystretch\}\{[^}]*\}",
        r"\\(cite\w*|label|ref|result|generated|drawn|setlength|input|IfFileExists|thepaper|made)"
        r"(\{[^{}]*(\{[^{}]*\}[^{}]*)*\})+",
    ):
        text = re.sub(formal, " ", text, flags=re.DOTALL)
    assert not re.findall(r".*\d.*", text)


def test_every_number_that_the_prose_uses_is_defined(tmp_path: Path) -> None:
    defined = set(numbers.results(study(tmp_path / "runs")))
    priced = priced_numbers.results(accounting(tmp_path / "sheets"))
    defined |= {f"accounting/{name}" for name in priced}
    defined |= set(say.results(study(tmp_path / "runs")))
    defined |= {f"say/{name}/{part}" for name, parts in say.SAID.items() for part in parts}
    defined |= set(re.findall(r"\\defresult\{([^{}]+)\}", contents.render({})))
    for source in WRITTEN:
        used = set(re.findall(r"\\result\{([^{}#]+)\}", source.read_text())) - {"name"}
        # a part of one experiment has its own numbers, and each says what was run
        own = {f"say/{source.stem}"}
        own |= {f"say/{source.stem}/{part}" for part in say.SAID.get(source.stem, {})}
        own |= {name for name in used if re.fullmatch(r"say/[a-z-]+/(setup|outcomes)", name)}
        own |= {name for name in used if name.startswith(("theory/", "claims/"))}
        assert used <= defined | own, source.name
