"""One run, from its spec to its record: what every method must do, and what may go wrong."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from gradcost.study import record
from gradcost.training import objective
from gradcost.training import run as stage
from gradcost.training.batches import batch_indices
from gradcost.training.run import train
from tests.runs import METHODS, small_spec

TRAINED = [name for name in METHODS if name != "no-finetuning"]


@pytest.mark.parametrize("method", TRAINED)
def test_every_method_trains_and_leaves_a_whole_record(job, method):
    planned = job(method)
    train(planned)
    found, history = record.read(planned.out)
    assert found.outcome == "completed"
    assert found.spec == planned.spec
    assert found.steps == 6
    rows = history.to_pydict()
    assert rows["step"] == [0, 1, 2, 3, 4, 5, 6]
    assert rows["examples"][-1] == 6 * 8
    assert rows["training_seconds"] == sorted(rows["training_seconds"])
    evaluated = [s for s, v in zip(rows["step"], rows["validation_accuracy"], strict=True)
                 if v is not None]  # fmt: skip
    assert evaluated == [0, 2, 4, 6]
    count = planned.spec["method"]["estimator"].get("perturbations", 1)
    expected = [0 if method.startswith("bp") else count] * 6
    if "adaptive" in method:
        expected[0] = 4  # calibration
    assert [len(values) for values in rows["projections"]] == [0, *expected]
    assert all(math.isfinite(value) for value in rows["gradient_norm"][1:])
    assert found.test is not None
    assert found.test.majority == 0.25
    assert found.machine.threads == 1
    assert not list(planned.checkpoints.glob("*.*"))  # neither a checkpoint nor a claim


@pytest.mark.parametrize("method", TRAINED)
def test_forward_equivalents_follow_what_each_step_evaluates(job, method):
    """100 examples are 12.5 batches: 13 steps to an epoch, whose last batch is half."""
    planned = job(method, steps=14, evaluate_every=14)
    found = train(planned)
    spent = record.read(planned.out)[1].to_pydict()["forward_equivalents"]
    steps = [after - before for before, after in pairwise(spent)]
    assert spent[-1] == pytest.approx(14 * found.cost.forward_equivalents)
    if "svrg" in method:  # two estimates a step, and an epoch of them at both snapshots
        one = steps[1] / 2
        assert steps == pytest.approx([14.5 * one, *[2 * one] * 12, 14.5 * one])
    elif "adaptive" in method:
        assert steps == pytest.approx([4 * steps[1], *[steps[1]] * 13])
    else:
        assert steps == pytest.approx([steps[0]] * 14)


def test_parameters_start_where_they_would_without_the_cost_being_measured(job, monkeypatch):
    """Measuring takes real steps and puts everything back."""
    measured = [train(job(method, f"a-{method}")) for method in TRAINED]
    original = stage._cost_of_step
    known = {found.run.method: found.cost for found in measured}

    def unmeasured(ready, objective, spec):
        kept = {name: value.detach().clone() for name, value in ready.params.items()}
        found = original(ready, objective, spec)
        assert all(torch.equal(ready.params[name], kept[name]) for name in kept)
        return found

    monkeypatch.setattr(stage, "_cost_of_step", unmeasured)
    for found in measured:
        again = train(job(found.run.method, f"b-{found.run.method}"))
        assert again.cost == known[found.run.method]
        assert again.history_digest == found.history_digest


def test_no_finetuning_evaluates_and_takes_no_step(job):
    found = train(job("no-finetuning"))
    assert (found.outcome, found.steps, found.history_rows) == ("completed", 0, 0)
    assert found.cost is not None
    assert found.cost.step_flops == 0
    assert found.test is not None


def test_no_finetuning_by_label_words_is_the_same_for_every_seed(job):
    """Nothing of it is drawn: it reads the words with the base's own head."""
    found = []
    for seed in (0, 1):
        planned = job("no-finetuning", f"seed{seed}", seed=seed)
        planned.spec["method"]["objective"] = "label-words"
        planned.spec["task"] |= METHODS["mezo"]["task"]
        found.append(train(planned))
    assert found[0].test == found[1].test
    assert (found[0].outcome, found[0].steps, found[0].cost.step_flops) == ("completed", 0, 0)
    # as MeZO reads them before its first step
    mezo = job("mezo", steps=1)
    assert train(mezo).label_words == found[0].label_words
    first = record.read(mezo.out)[1].to_pydict()
    assert first["validation_accuracy"][0] == found[0].validation.accuracy
    assert first["validation_loss"][0] == found[0].validation.loss


def test_a_record_of_mezo_has_the_tokens_of_its_words(job):
    found = train(job("mezo", steps=1))
    assert found.label_words == {"bid": "bid", "oil": "oil", "profit": "profit", "tariff": "tariff"}
    assert train(job("zo-vanilla", "other", steps=1)).label_words is None


def test_costs_in_forward_passes_are_those_of_the_mathematics(job):
    cost = {
        method: train(job(method, method, steps=1)).cost
        for method in (
            "bp-vanilla",
            "bp-checkpointing",
            "zo-vanilla",
            "fmad-vanilla",
            "fmad-multiple",
        )
    }
    equivalents = {method: found.forward_equivalents for method, found in cost.items()}
    assert equivalents["bp-vanilla"] <= 2.05
    assert equivalents["bp-vanilla"] < equivalents["bp-checkpointing"] <= 3.05
    assert equivalents["zo-vanilla"] == pytest.approx(2, abs=0.01)
    assert equivalents["fmad-vanilla"] <= 2.05
    assert equivalents["fmad-multiple"] <= 1.05 + 4
    assert cost["zo-vanilla"].peak_bytes < cost["bp-vanilla"].peak_bytes


def test_the_same_spec_gives_the_same_record_and_another_seed_another(job):
    one, same, other = (
        train(job("fmad-vanilla", folder, seed=seed))
        for folder, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert record.without_timings(one) == record.without_timings(same)
    assert one.history_digest != other.history_digest


def test_common_random_numbers_make_forward_mode_and_zeroth_order_agree(job):
    """Along the same directions they differ by the error of a finite difference alone."""
    for pair in (("fmad-vanilla", "zo-vanilla"), ("fmad-multiple", "zo-multiple")):
        histories = []
        for method in pair:
            planned = job(method, method, hyperparameters={"optimizer": "sgd"})
            train(planned)
            histories.append(record.read(planned.out)[1].to_pydict())
        for step in range(1, 7):
            found, expected = (torch.tensor(h["projections"][step]) for h in histories)
            torch.testing.assert_close(found, expected, rtol=0.05, atol=2e-3)


def test_checkpointing_changes_the_memory_and_no_number(job):
    plain, recomputed = train(job("bp-vanilla", "a")), train(job("bp-checkpointing", "b"))
    assert plain.history_rows == recomputed.history_rows
    assert plain.test == recomputed.test


@pytest.mark.parametrize("method", ["bp-vanilla", "fmad-multiple", "zo-vanilla"])
def test_a_run_forced_to_nan_is_an_outcome(job, method):
    planned = job(method, hyperparameters={"learning_rate": 1e30, "optimizer": "sgd"}, steps=20)
    train(planned)
    found, history = record.read(planned.out)
    assert found.outcome == "diverged"
    assert found.reason.startswith(f"step {found.steps}: ")
    assert found.test is None
    assert found.steps < 20
    assert history.num_rows == found.steps + 1


def test_a_step_above_the_memory_limit_is_an_outcome(job):
    planned = job("bp-vanilla", hardware={"memory_limit": 1e-6})
    found = train(planned)
    assert found.outcome == "out-of-memory"
    assert "the limit is 1e-06 GB" in found.reason
    assert found.cost is not None
    assert (found.test, found.steps) == (None, 0)
    assert train(job("bp-vanilla", "b", hardware={"memory_limit": 1.0})).outcome == "completed"


def test_an_allocation_that_fails_is_an_outcome(inputs, tmp_path):
    """A real failure of the allocator, in a process that may not have more memory."""
    code = """
import resource
from pathlib import Path
from tests_job import planned
from gradcost.training import run
import peft, transformers.models.llama.modeling_llama, torch.utils.flop_counter
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 400 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
run.train(planned)
"""
    script = tmp_path / "tests_job.py"
    spec = small_spec("bp-vanilla", steps=1, hyperparameters={"batch_size": 200_000})
    script.write_text(f"""
from pathlib import Path
from gradcost.study.record import RunName
from gradcost.training.run import Job
inputs = Path({str(inputs)!r})
planned = Job(RunName(model="llama", task="news", method="bp", setting="default", seed=0), {spec!r},
              inputs / "tokens", inputs / "model", Path({str(tmp_path / "run")!r}),
              Path({str(tmp_path / "checkpoints")!r}), {{}}, {{}})
""")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found, _ = record.read(tmp_path / "run")
    assert found.outcome == "out-of-memory"
    assert "can't allocate memory" in found.reason


def test_running_out_half_way_keeps_what_was_done(job, monkeypatch):
    original = objective.batch_loss
    calls = []

    def scarce(*args, **kwargs):
        calls.append(1)
        if len(calls) > 4:  # the first measures the cost, three are steps
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return original(*args, **kwargs)

    monkeypatch.setattr(objective, "batch_loss", scarce)
    planned = job("bp-vanilla")
    found = train(planned)
    assert found.outcome == "out-of-memory"
    assert found.reason.startswith("CUDA out of memory")
    assert record.read(planned.out)[0] == found


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported"),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("Error out of memory at line 88 in file /src/csrc/ops.cu"),
    ],
    ids=["CUDA", "driver", "cuBLAS", "bitsandbytes"],
)
def test_a_device_out_of_memory_is_known_whoever_says_so(job, monkeypatch, error):
    def scarce(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(objective, "batch_loss", scarce)
    planned = job("bp-vanilla")
    with pytest.raises(stage.MemoryMayGrow):
        train(replace(planned, grows=True))
    found = train(planned)
    assert found.outcome == "out-of-memory"
    assert found.reason == str(error).partition("\n")[0]


def test_any_other_error_is_an_error_and_leaves_no_record(job, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(objective, "batch_loss", broken)
    planned = job("bp-vanilla")
    with pytest.raises(RuntimeError, match="shapes"):
        train(planned)
    assert not planned.out.exists()


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"optimizer": "adamw", "learning_rate": 0.03, "weight_decay": 0.01},
        {"optimizer": "sgd", "learning_rate": 0.1},
        {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9},
        {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
        {"optimizer": "adagrad", "learning_rate": 0.1},
        {"optimizer": "rmsprop", "learning_rate": 0.01},
        {"optimizer": "sign", "learning_rate": 0.01},
        {"optimizer": "sgd", "learning_rate": 1.0, "clip_norm": 0.1},
    ],
)
def test_every_optimiser_learns(job, hyperparameters):
    """On a task this easy the loss on the training batches must fall."""
    planned = job("bp-vanilla", steps=40, evaluate_every=40,
                  hyperparameters=hyperparameters)  # fmt: skip
    train(planned)
    losses = record.read(planned.out)[1].to_pydict()["loss"][1:]
    assert sum(losses[-8:]) < 0.95 * sum(losses[:8])


def test_a_line_of_progress_has_step_loss_accuracy_and_time_left(job, capsys):
    train(job("bp-vanilla"))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("news bp-vanilla default seed 0  step 6/6  loss ")
    assert "validation" in last
    assert last.endswith("s left")


def test_an_epoch_shows_every_example_once_in_an_order_of_its_seed():
    def seen(seed: int) -> list[int]:
        steps = [batch_indices(step, 4, 10, seed) for step in range(1, 6)]
        return torch.cat(steps).tolist()

    order = seen(0)
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:]
    assert order != seen(1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("method", ["bp-checkpointing", "zo-multiple", "fmad-multiple"])
def test_a_run_on_a_gpu_repeats_bit_for_bit(job, method):
    records = [train(job(method, folder, hardware={"device": "cuda"})) for folder in ("one", "two")]
    assert records[0].outcome == "completed"
    assert record.without_timings(records[0]) == record.without_timings(records[1])
