"""The claims: what they name exists, and no verdict is fixed whatever the data."""

from __future__ import annotations

from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from gradcost.results import theory
from gradcost.results.claims.evidence import Evidence
from gradcost.results.claims.judge import CLAIMS, judge
from gradcost.results.claims.ledger import CLAIMS as FILE
from gradcost.results.claims.ledger import Ledger
from gradcost.results.claims.proofs import holds
from gradcost.results.claims.rules import Claim
from gradcost.study.files import write_json
from tests.results.claims.synthetic import ROOT, experiment, pipeline
from tests.results.synthetic import FAILURES, study
from tests.results.synthetic_accounting import accounting, sheet, step

BY_ID = {claim.id: claim for claim in CLAIMS}
ON_ACCURACY = [claim for claim in CLAIMS if claim.kind == "accuracy"]


def test_names_are_unique() -> None:
    assert len(BY_ID) == len(CLAIMS)


@cache
def _of_demo() -> set[str]:
    """The experiments that the demo has besides."""
    return set(yaml.safe_load((ROOT / "workflow/scales/demo.yaml").read_text())["experiments"])


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_what_a_claim_names_exists(claim: Claim) -> None:
    assert set(claim.experiments) <= {*pipeline().study.experiments, *_of_demo()}
    assert set(claim.sheets) <= set(pipeline().study.accounting)
    assert claim.statement.endswith(".")
    assert claim.source.startswith(
        ("Abstract", "Section", "Table", "Figure", "Appendix", "Lemma", "Theorem", "Corollary",
         "Equation", "Observation")
    )  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_without_evidence_nothing_is_tested(claim: Claim) -> None:
    found = claim.test(Evidence("demo"))
    assert found.verdict == "not tested"
    assert found.value is None


def _levels(read: list[tuple[str, str]]) -> dict[str, int]:
    """Rows by how many others each must exceed for all pairs, read left and right, to hold."""
    above: dict[str, set[str]] = {}
    for (_, left), (_, right) in zip(read[::2], read[1::2], strict=True):
        above.setdefault(left, set()).update({right} - {left})
        above.setdefault(right, set())
    levels: dict[str, int] = {}
    for row in TopologicalSorter(above).static_order():
        levels[row] = 1 + max((levels[lower] for lower in above[row]), default=0)
    return levels


@pytest.mark.parametrize("claim", ON_ACCURACY, ids=lambda claim: claim.id)
def test_data_decide_on_accuracy(claim: Claim) -> None:
    (name,) = claim.experiments
    tasks = [task for task in ("gsm8k", "boolq", "multirc") if task in claim.id]
    tasks = tasks or (["gsm8k"] if name == "optimizers" else ["agnews"])
    flat = experiment(name, lambda *place: 50.0, tasks)
    verdicts = {claim.test(Evidence("paper", {name: flat})).verdict}
    levels = _levels(flat.read)  # type: ignore[attr-defined]
    models = list(dict.fromkeys(column.model for column in flat.columns))
    for direction in (1, -1):

        def accuracy(
            model: str, task: str, method: str, setting: str, sign: int = direction
        ) -> float:
            key = method if setting == "default" else f"{method}/{setting}"
            size = 1 + models.index(model)
            return 50 + 2 * sign * size * levels.get(key, 0)

        data = experiment(name, accuracy, tasks)
        verdicts.add(claim.test(Evidence("paper", {name: data})).verdict)
    assert {"supported", "contradicted"} <= verdicts

    one = experiment(name, lambda *place: 50.0, tasks, seeds=1)
    assert claim.test(Evidence("paper", {name: one})).verdict == "inconclusive"


def test_size_is_judged_at_the_papers_scale_alone() -> None:
    claim = BY_ID["bp-over-zo"]
    data = experiment(
        "accuracy", lambda model, task, method, setting: 40.0 + 30 * ("bp" in method), ["agnews"]
    )
    at_home = claim.test(Evidence("paper", {"accuracy": data}))
    assert (at_home.verdict, at_home.size, at_home.differs) == ("supported", "contradicted", "")
    elsewhere = claim.test(Evidence("demo", {"accuracy": data}))
    assert (elsewhere.verdict, elsewhere.size) == ("supported", "not tested")
    assert "the paper:" in elsewhere.differs


def test_runs_that_failed_are_named(tmp_path: Path) -> None:
    methods = ("bp-checkpointing", "zo-vanilla", "zo-multiple", "fmad-vanilla")
    data = study(tmp_path, FAILURES, methods=methods)
    found = BY_ID["zo-multiple-gains"].test(Evidence("demo", {"accuracy": data}))
    assert "ZO-Multiple on 20 Newsgroups: 3 missing" in found.said
    single = BY_ID["bp-over-fmad"].test(Evidence("demo", {"accuracy": data}))
    assert (single.verdict, single.n) == ("inconclusive", 1)
    assert "a single seed" in single.said


SHOWN = ("bp-checkpointing", "zo-vanilla", "zo-accumulate", "fmad-vanilla", "mezo")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A small experiment."""
    data = study(tmp_path_factory.mktemp("study"), methods=SHOWN)
    return Evidence("demo", {"accuracy": data})


def test_convergence_follows_the_curves(evidence: Evidence) -> None:
    found = BY_ID["bp-reaches-targets-faster"].test(evidence)
    assert found.verdict == "supported"  # the made-up BP learns six times as fast
    assert "never arrive" in found.said
    steps = BY_ID["zo-steps-faster"].test(evidence)
    assert steps.verdict == "supported"
    assert steps.value == pytest.approx(0.0221 / 0.0137)
    assert BY_ID["accumulate-total"].test(evidence).verdict == "inconclusive"


def test_failures_follow_the_slopes(tmp_path: Path) -> None:
    """The made-up slopes are six times as large under AdamW, for every seed and step."""
    data = study(
        tmp_path,
        {("r8-4", "fmad-multiple", 0): "diverged"},
        methods=("bp-checkpointing", "fmad-vanilla", "fmad-multiple", "fmad-svrg"),
        tasks=("r8-4",),
        settings=("default", "adamw", "sgd"),
    )
    evidence = Evidence("demo", {"optimizers": data, "svrg": data})
    spikes = BY_ID["slopes-spike-under-adamw"].test(evidence)
    assert (spikes.verdict, spikes.n) == ("supported", 3)
    assert spikes.value == pytest.approx(6)
    variance = BY_ID["gradients-vary-under-adamw"].test(evidence)
    assert variance.value == pytest.approx(36)
    for name, verdict in {
        "slopes-bounded-under-sgd": "supported",
        "spikes-come-late": "contradicted",  # the made-up slopes are largest at the start
        "sgd-converges": "supported",
        "adamw-diverges": "inconclusive",  # that no run of a few does is no proof
        "sgd-diverges": "supported",  # one run of FMAD-Multiple
        "multiple-drifts": "contradicted",
        "svrg-control-minimal": "inconclusive",
        "svrg-full-gradient-dominates": "supported",
    }.items():
        found = BY_ID[name].test(evidence)
        assert found.verdict == verdict, (name, found)


def test_counts_decide_on_memory_and_computation(tmp_path: Path) -> None:
    evidence = Evidence("demo", accounting=accounting(tmp_path))
    for name, verdict in {
        "less-than-bp": "supported",
        "checkpointing-below-fmad": "contradicted",
        "fmad-step-as-published": "supported",
        "fmad-step": "contradicted",
        "fmad-multiple-over-bp": "contradicted",
        "memory-of-bp-linear-in-depth": "supported",
        "memory-of-checkpointing-root-of-depth": "contradicted",
        "memory-of-segments-root-of-depth": "supported",
    }.items():
        assert BY_ID[name].test(evidence).verdict == verdict, name


@pytest.mark.parametrize(
    ("layers", "verdict"), [(1, "supported"), (32, "contradicted")], ids=["small", "large"]
)
def test_other_counts_turn_a_verdict(layers: int, verdict: str, tmp_path: Path) -> None:
    rows = [step("bp-checkpointing", layers=layers), step("fmad-vanilla")]
    data = accounting(tmp_path, sheet("llama-3.1-8b", "LLaMA", rows))
    found = BY_ID["checkpointing-below-fmad"].test(Evidence("demo", accounting=data))
    assert found.verdict == verdict


def _check(name: str, verdict: theory.Verdict) -> theory.Check:
    return theory.Check(
        id=name, source="Lemma", statement="s", holds=verdict, explained=True, correction="$c$",
        quantity="$q$", bound=False, printed=1.0, predicted=2.0, measured=2.0, low=1.9, high=2.1,
        n=10, parameters={},
    )  # fmt: skip


def test_a_statement_holds_as_printed_or_not_at_all() -> None:
    test = holds("a/")
    good, corrected, other = (
        _check("a/1", "as printed"),
        _check("a/2", "with a correction"),
        _check("b/1", "not"),
    )
    assert test(Evidence("demo", theory=[good, other])).verdict == "supported"
    found = test(Evidence("demo", theory=[good, corrected]))
    assert (found.verdict, found.correction, found.value) == ("contradicted", "$c$", 2.0)
    assert test(Evidence("demo", theory=[other])).verdict == "not tested"


def test_the_ledger_survives_its_file(evidence: Evidence, tmp_path: Path) -> None:
    ledger = judge(evidence)
    write_json(tmp_path / FILE, ledger.model_dump())
    again = Ledger.load(tmp_path / FILE)
    assert again == ledger
    assert [entry.id for entry in again.claims] == [claim.id for claim in CLAIMS]
    (tmp_path / FILE).write_text('{"scale": "demo"}')
    with pytest.raises(ValueError, match="claims"):
        Ledger.load(tmp_path / FILE)
