"""A study on a real Slurm, through every fault: its records are those of an undisturbed one.

Each fault comes once, while runs are training. Afterwards every record is the same bit for bit,
timings aside, and no run was trained to its end twice.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from gradcost.study import record
from tests.slurm.cluster import CARD, FEATURES, Cluster
from tests.workflow.conftest import copy_project

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm")]

STEPS = 1500
OVERLAY = f"""
scale: faulty
seeds: [0]
hardware: {{device: cpu, threads: 1}}
tasks:
  agnews:
    source: {{folder: NEWS, hub: null, revision: null}}
    examples: {{train: 60, validation: 16, test: 16}}
    length: 8
    steps: {STEPS}
    evaluate_every: 300
models:
  llama:
    label: Llama
    source: {{folder: LLAMA}}
report: [accuracy]
experiments:
  accuracy:
    models: [llama]
    tasks: [agnews]
    methods: [bp-vanilla, fmad-vanilla, zo-vanilla]
"""
RUNS = ("bp-vanilla", "fmad-vanilla", "zo-vanilla")
TARGET = "results/faulty/experiments/accuracy/manifest.json"
CLAIM = r"process (\d+) on .*, Slurm job (\d+),"  # how a run's says whose it is


@dataclass
class Study:
    """A copy of the project with a study of three runs of some ten seconds."""

    folder: Path
    cluster: Cluster = field(default_factory=Cluster)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    seconds: str = "0.5"  # between checkpoints

    def environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(self.folder / "src"), "OMP_NUM_THREADS": "1"}
        own |= {"GRADCOST_CHECKPOINT_SECONDS": self.seconds, "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **own, **self.cluster.environment()}

    def command(self, *options: str, profile: str = "slurm") -> list[str]:
        command = [sys.executable, "-m", "snakemake", "--profile", profile]
        command += ["--configfile", "faulty.yaml"]
        if profile == "slurm":
            command += ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10"]
            command += ["--slurm-keep-successful-logs"]
        return [*command, *options, "--", TARGET]

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start Snakemake; its output is in snakemake.log."""
        with (self.folder / "snakemake.log").open("a") as log:
            process = subprocess.Popen(
                self.command(*options),
                cwd=self.folder, env=self.environment(), stdout=log, stderr=log,
            )  # fmt: skip
        self.running.append(process)
        return process

    def run(self, *options: str, profile: str = "slurm") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*options, profile=profile),
            cwd=self.folder, env=self.environment(), capture_output=True, text=True,
        )  # fmt: skip

    def log(self) -> str:
        return (self.folder / "snakemake.log").read_text()

    def checkpoints(self) -> list[Path]:
        return list((self.folder / "results/faulty/checkpoints").glob("*.pt"))

    def log_of(self, job: str) -> Path:
        """The log of the run that a job trains."""
        comment = next(one.comment for one in self.cluster.jobs() if one.id == job)
        method = next(name for name in RUNS if name in comment)
        return self.folder / f"logs/faulty/train/llama/agnews/{method}/default/seed0.log"

    def state(self, job: str) -> str | None:
        """What a job is at, unless it has ended."""
        return next((one.state for one in self.cluster.jobs() if one.id == job), None)

    def training(self, process: subprocess.Popen[bytes]) -> list[str]:
        """Wait until runs have a checkpoint; the jobs that train them."""

        def found() -> list[str]:
            assert process.poll() is None, self.log()[-6000:]
            running = {job.id for job in self.cluster.jobs() if job.state == "RUNNING"}
            return [job for job in self.trainers() if job in running]

        return self.cluster.wait(found, 180)

    def trainers(self) -> dict[str, int]:
        """The jobs whose runs have a checkpoint, and their processes, as they sign their claims."""
        return {
            job: process
            for claim, job, process in self.claims()
            if claim.with_suffix(".pt").exists()
        }

    def begun(self) -> int | None:
        """The process of a run that has told of its steps and has not ended, if there is one."""
        for _, job, process in self.claims():
            if self.state(job):
                said = log.read_text() if (log := self.log_of(job)).exists() else ""
                if "step " in said and "complete" not in said:
                    return process
        return None

    def claims(self) -> Iterator[tuple[Path, str, int]]:
        """The claims of runs, with the job and the process that have signed each."""
        for path in (self.folder / "results/faulty/checkpoints").glob("*.claim"):
            with contextlib.suppress(FileNotFoundError):
                if match := re.match(CLAIM, path.read_text()):
                    yield path, match[2], int(match[1])

    def finish(self, process: subprocess.Popen[bytes], seconds: float = 420) -> None:
        """Wait for Snakemake to succeed."""
        assert process.wait(seconds) == 0, self.log()[-8000:]

    def records(self) -> dict[str, tuple[str, str]]:
        """Each run's record without what it took, and the digest of its history."""
        result = {}
        for method in RUNS:
            found, _ = record.read(
                self.folder / f"results/faulty/runs/llama/agnews/{method}/default/seed0"
            )
            result[method] = record.without_timings(found), found.history_digest
        return result

    def completions(self) -> Counter[str]:
        """How often each run was trained to its last step, by the logs of all jobs there were."""
        ends = Counter()
        for path in (self.folder / "logs/slurm/rule_train").rglob("*.log"):
            ends.update(
                re.findall(rf"agnews (\S+) default seed 0  step {STEPS}/{STEPS}", path.read_text())
            )
        return ends

    def resumed(self) -> int:
        """How often runs went on from a checkpoint."""
        folder = self.folder / "results/faulty/runs/llama/agnews"
        return sum(record.read(folder / name / "default/seed0")[0].timings.resumed for name in RUNS)

    def clear(self) -> None:
        """As if nothing had been trained; data, tokens and model stay."""
        for process in self.running:
            process.kill()
            process.wait()
        self.running.clear()
        self.seconds = "0.5"
        for name in ("runs", "checkpoints", "experiments"):
            shutil.rmtree(self.folder / "results/faulty" / name, ignore_errors=True)
        shutil.rmtree(self.folder / "logs", ignore_errors=True)
        shutil.rmtree(self.folder / ".snakemake/locks", ignore_errors=True)
        shutil.rmtree(self.folder / ".snakemake/incomplete", ignore_errors=True)
        (self.folder / "snakemake.log").unlink(missing_ok=True)
        # of the last Snakemake: the next one would wait until Slurm says that they have ended
        (self.folder / "results/faulty/slurm-submissions").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def prepared(cluster, news_folder, llama_folder, tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("faulty")
    copy_project(folder)
    text = OVERLAY.replace("NEWS", str(news_folder)).replace("LLAMA", str(llama_folder))
    (folder / "faulty.yaml").write_text(text)
    return Study(folder, cluster)


@pytest.fixture(scope="module")
def undisturbed(prepared) -> dict[str, tuple[str, str]]:
    """The records of the study on one machine, without Slurm and without faults."""
    done = prepared.run(profile="local")
    assert done.returncode == 0, done.stderr[-6000:]
    found = prepared.records()
    prepared.clear()
    return found


@pytest.fixture
def study(prepared, undisturbed) -> Iterator[Study]:
    prepared.clear()
    yield prepared
    prepared.clear()
    prepared.cluster.reset()


def whole(study: Study, undisturbed: dict[str, tuple[str, str]]) -> None:
    """The records are those of the undisturbed study, and nothing was trained twice."""
    assert study.records() == undisturbed
    assert study.completions() == dict.fromkeys(RUNS, 1)
    # after a restart of its controller Slurm takes a while to note that jobs have ended
    study.cluster.wait(lambda: study.cluster.jobs() == [], 120)
    # what was kept until Snakemake knew of it is not kept any more
    assert list((study.folder / "results/faulty/checkpoints").iterdir()) == []


def test_without_a_fault_records_are_those_of_one_machine(study, undisturbed):
    study.finish(study.start())
    whole(study, undisturbed)
    assert study.resumed() == 0
    names = {one.name.rpartition("_")[0] for one in study.cluster.history()}
    assert "gradcost" in names
    # that of the profile, which is not Slurm's default
    shown = study.cluster.run("sacct", "-X", "-n", "-P", "--format=Partition,Comment").stdout
    asked = dict(line.split("|", 1)[::-1] for line in shown.splitlines())
    assert {asked[one] for one in asked if any(name in one for name in RUNS)} == {"gpu"}
    done = study.run("-n")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_job_is_cancelled(study, undisturbed):
    process = study.start()
    study.cluster.cancel(study.training(process)[0])
    study.finish(process)
    whole(study, undisturbed)
    assert study.resumed() >= 1


@pytest.mark.parametrize("whom", ["first process", "group"])
def test_whomever_slurm_asks_to_stop_the_run_does_so_with_a_checkpoint(study, undisturbed, whom):
    """Where it tracks jobs by control groups that is the first process alone, the Snakemake in
    the job; elsewhere it is a group. There is no checkpoint but that of a run that was asked.
    """
    study.seconds = "3600"
    process = study.start()
    trainer = psutil.Process(study.cluster.wait(lambda: study.begun(), 180))
    if whom == "group":
        os.killpg(os.getpgid(trainer.pid), signal.SIGTERM)
    else:
        above = [one for one in trainer.parents() if "snakemake" in " ".join(one.cmdline())]
        inner = [one for one in above if "--mode" in one.cmdline()]
        inner[-1].send_signal(signal.SIGTERM)
    study.cluster.wait(study.checkpoints, 60)
    study.finish(process)
    whole(study, undisturbed)
    assert study.resumed() >= 1


def test_a_job_reaches_its_time_limit(study, undisturbed):
    process = study.start()
    job = study.training(process)[0]
    os.kill(study.trainers()[job], signal.SIGSTOP)  # or it may end before Slurm looks
    study.cluster.expire(job)
    study.finish(process)
    whole(study, undisturbed)
    assert "TIMEOUT" in study.log()
    assert study.resumed() >= 1


def test_a_job_exceeds_its_memory(study, undisturbed):
    """The first attempt is given too little; the next one more."""
    process = study.start("--set-resources", "train:mem_mb=400 * 8 ** (attempt - 1)")
    study.finish(process)
    whole(study, undisturbed)
    assert "FAILED" in study.log() or "OUT_OF_MEMORY" in study.log()


def test_a_node_goes_down_while_its_jobs_go_on(study, undisturbed):
    """They are queued again, start elsewhere, wait for those that go on, and take their records."""
    process = study.start()
    jobs = study.training(process)
    node = next(job.node for job in study.cluster.jobs() if job.id == jobs[0])
    study.cluster.kill_node(node)
    study.cluster.wait(lambda: "down" in study.cluster.nodes()[node], 60)
    for job in study.cluster.jobs():
        if job.state == "PENDING":
            study.cluster.start_now(job.id)
    study.finish(process)
    whole(study, undisturbed)


def test_the_controller_of_slurm_is_away_for_half_a_minute(study, undisturbed):
    process = study.start()
    study.training(process)
    study.cluster.stop_controller()
    time.sleep(30)
    assert process.poll() is None
    study.cluster.start_controller()
    study.finish(process)
    whole(study, undisturbed)
    assert study.resumed() == 0


def test_jobs_are_submitted_when_the_controller_of_slurm_is_back(study, undisturbed):
    study.cluster.stop_controller()
    process = study.start()
    study.cluster.wait(lambda: "Execute 3 jobs" in (study.log() or ""), 60)
    time.sleep(12)
    assert process.poll() is None, study.log()[-4000:]
    study.cluster.start_controller()
    study.finish(process)
    whole(study, undisturbed)
    assert "Trying to restart" not in study.log()


def test_a_job_is_preempted_three_times(study, undisturbed):
    process = study.start()
    job = study.training(process)[0]
    log = study.log_of(job)
    for _ in range(3):
        study.cluster.requeue(job)
        study.cluster.wait(lambda: study.state(job) == "PENDING", 60)
        log.unlink()
        study.cluster.start_now(job)
        # until it trains again: this far it has gone on from a checkpoint
        study.cluster.wait(lambda: study.state(job) is None or log.exists(), 120)
        time.sleep(8)
        if study.state(job) != "RUNNING":
            break
    study.finish(process)
    whole(study, undisturbed)
    assert study.resumed() >= 1


def test_the_disk_is_full_for_a_while(study, undisturbed):
    """Of checkpoints, with the first job that notices failing."""
    checkpoints = study.folder / "results/faulty/checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", checkpoints], check=True)
    try:
        process = study.start()
        study.training(process)
        filler = checkpoints / "filler"
        fill(filler)
        study.cluster.wait(lambda: "Trying to restart job" in study.log(), 180)
        filler.unlink()
        study.finish(process)
        whole(study, undisturbed)
    finally:
        study.cluster.reset()
        subprocess.run(["umount", "--lazy", checkpoints], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_snakemake_is_killed_and_started_again(study, undisturbed, number):
    process = study.start()
    jobs = study.training(process)
    process.send_signal(number)
    if number == signal.SIGTERM:  # it waits for its jobs: one who is impatient asks again
        time.sleep(2)
        process.send_signal(number)
    process.wait(60)
    if number == signal.SIGKILL:
        assert {job.id for job in study.cluster.jobs()} >= set(jobs)  # they go on
        refused = study.run()
        assert refused.returncode != 0
        assert "has ended without clearing its lock" in refused.stderr + refused.stdout
        unlock = next(
            line.partition("Clear it: ")[2]
            for line in (refused.stderr + refused.stdout).splitlines()
            if "Clear it: " in line
        )
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(unlock)],
            cwd=study.folder, env=study.environment(), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    study.finish(study.start())
    whole(study, undisturbed)


def test_a_second_snakemake_on_the_same_results_is_refused(study, undisturbed):
    process = study.start()
    study.training(process)
    second = study.run()
    said = second.stdout + second.stderr
    assert second.returncode != 0
    assert f"Another Snakemake is at work on results/faulty: process {process.pid} on" in said
    planned = study.run("-n")
    assert planned.returncode == 0, planned.stderr
    study.finish(process)
    whole(study, undisturbed)


def test_what_no_node_has_is_reported_at_once_and_the_others_go_on(study, undisturbed):
    process = study.start(
        "--retries", "0",
        "--set-resources", "train:mem_mb=9999999 if wildcards.method == 'zo-vanilla' else 1500",
    )  # fmt: skip
    assert process.wait(420) == 1
    assert "Requested node configuration is not available" in study.log() or (
        "Memory specification can not be satisfied" in study.log()
    )
    assert study.completions() == dict.fromkeys(("bp-vanilla", "fmad-vanilla"), 1)
    (alone,) = re.findall(r"alone: (snakemake .*)", study.log())
    assert alone.startswith("snakemake --profile slurm --configfile faulty.yaml -- results/")
    assert "zo-vanilla" in alone
    study.finish(study.start())
    whole(study, undisturbed)


def test_no_more_jobs_than_allowed_are_on_gpus_at_the_same_time(study, undisturbed):
    process = study.start("--set-resources", "train:gpu=1", "--resources", "gpu=2")
    most = 0
    while process.poll() is None:
        most = max(most, sum("rule_train" in job.comment for job in study.cluster.jobs()))
        time.sleep(0.5)
    study.finish(process)
    whole(study, undisturbed)
    assert most == 2


def test_cards_are_asked_for_by_type_and_by_constraint(study, undisturbed):
    """As a study with several cards does, where either may be None."""
    process = study.start(
        "--set-resources",
        "train:gpu=1",
        f"train:gpu_model={CARD!r} if wildcards.method == 'bp-vanilla' else None",
        f"train:constraint=None if wildcards.method == 'bp-vanilla' else {FEATURES['n2']!r}",
    )
    nodes = {method: set() for method in RUNS}
    while process.poll() is None:
        for job, method in itertools.product(study.cluster.jobs(), RUNS):
            if job.state == "RUNNING" and method in job.comment:
                nodes[method].add(job.node)
        time.sleep(0.5)
    study.finish(process)
    whole(study, undisturbed)
    assert nodes["fmad-vanilla"] == nodes["zo-vanilla"] == {"n2"}
    tres = study.cluster.run("sacct", "-X", "-n", "-P", "--format=Comment,ReqTRES").stdout
    assert re.search(rf"bp-vanilla.*\|.*gres/gpu:{CARD}=1", tres), tres
    assert study.cluster.run("sbatch", "--constraint=rack-3", "--wrap=true").returncode != 0
