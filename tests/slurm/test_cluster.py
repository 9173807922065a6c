"""The cluster of the tests is a real one: it runs, queues, limits, loses and requeues jobs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm import cluster as module
from tests.slurm.cluster import CONFIG, GPUS, MEMORY, NODES, Cluster, Run, processes_of

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm")]

# Says who it is, then writes a line a second.
TICKS = "while :; do echo $SLURMD_NODENAME >>ticks; sleep 1; done"


@pytest.fixture(scope="module", autouse=True)
def _limited(cluster: Cluster) -> Iterator[None]:
    """On the last node, two jobs whose time runs out while other tests run."""
    for name in ("limited", "expired"):
        job = cluster.submit("sleep 300", f"--job-name={name}", f"--nodelist={NODES[-1]}")
        running(cluster, job)
        if name == "limited":
            cluster.set_time_limit(job, minutes=1)
        else:
            cluster.expire(job)
    yield
    cluster.reset()


def running(cluster: Cluster, job: str, seconds: float = 20) -> str:
    """The node on which a job runs, as soon as it does."""
    return cluster.wait(
        lambda: next((j.node for j in cluster.jobs() if j.id == job and j.state == "RUNNING"), ""),
        seconds,
    )


def ended(cluster: Cluster, name: str, count: int = 1, seconds: float = 30) -> list[Run]:
    """The runs of the jobs of a name, when so many have ended; accounting is seconds behind."""

    def runs() -> list[Run]:
        found = cluster.history(name)
        ends = [run for run in found if run.state not in {"PENDING", "RUNNING"}]
        return found if len(ends) == count else []

    return cluster.wait(runs, seconds)


def test_a_job_runs_and_is_accounted_for(cluster: Cluster, tmp_path: Path) -> None:
    options = ("--job-name=hello", "--comment=a comment", "--account=study", "--gres=gpu:1")
    job = cluster.submit("echo $CUDA_VISIBLE_DEVICES; sleep 1; exit 3", *options, folder=tmp_path)
    (queued,) = (each for each in cluster.jobs() if each.id == job)
    assert (queued.name, queued.comment, queued.workdir) == ("hello", "a comment", tmp_path)
    (run,) = ended(cluster, "hello")
    assert (run.state, run.exit_code) == ("FAILED", "3:0")
    assert run.node in NODES
    assert (tmp_path / f"slurm-{job}.out").read_text() in {"0\n", "1\n"}
    cluster.submit("sleep 1", "--job-name=well")
    assert [(run.state, run.exit_code) for run in ended(cluster, "well")] == [("COMPLETED", "0:0")]


def test_jobs_queue_for_the_gpus(cluster: Cluster, tmp_path: Path) -> None:
    script = "echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES; until [ -e go ]; do sleep 0.2; done"
    options = ("--job-name=gpus", "--gpus=1")
    jobs = [cluster.submit(script, *options, folder=tmp_path) for _ in range(len(NODES) * GPUS + 1)]

    def texts() -> list[str]:
        return sorted(filter(None, (file.read_text() for file in tmp_path.glob("slurm-*.out"))))

    every = [f"{node} {gpu}\n" for node in NODES for gpu in range(GPUS)]
    cluster.wait(lambda: texts() == every, 20)
    cluster.wait(
        lambda: {job.id: job.reason for job in cluster.jobs()}[jobs[-1]] == "Resources", 10
    )
    assert [job.id for job in cluster.jobs() if job.state == "PENDING"] == jobs[-1:]
    (tmp_path / "go").touch()
    assert {run.state for run in ended(cluster, "gpus", len(jobs))} == {"COMPLETED"}
    assert len(texts()) == len(jobs)


def test_memory_is_limited(cluster: Cluster) -> None:
    began = time.monotonic()
    script = f"{sys.executable} -c 'import time; x = bytearray(200 << 20); time.sleep(60)'"
    cluster.submit(script, "--job-name=greedy", "--mem=100")
    (run,) = ended(cluster, "greedy")
    assert (run.state, run.exit_code) == ("FAILED", "0:9")
    assert time.monotonic() - began < 20


def test_what_no_node_has_is_refused(cluster: Cluster) -> None:
    began = time.monotonic()
    done = cluster.run("sbatch", f"--mem={MEMORY + 1}", "--wrap", "true")
    assert done.returncode == 1
    assert "Memory specification can not be satisfied" in done.stderr
    assert "Requested node configuration is not available" in done.stderr
    assert time.monotonic() - began < 5


def test_preemption_queues_again(cluster: Cluster, tmp_path: Path) -> None:
    options = ("--partition=preemptible", f"--gpus-per-node={GPUS}", "--open-mode=append")
    script = "echo ${SLURM_RESTART_COUNT:-0}; sleep 60"
    job = cluster.submit(script, "--nodes=2", "--job-name=low", *options, folder=tmp_path)
    running(cluster, job)
    cluster.submit("sleep 1", "--gpus=1", "--job-name=high")
    assert [run.state for run in ended(cluster, "high")] == ["COMPLETED"]
    cluster.start_now(job)
    running(cluster, job)
    cluster.requeue(job)
    cluster.wait(lambda: [j.reason for j in cluster.jobs() if j.id == job] == ["BeginTime"], 20)
    cluster.start_now(job)
    running(cluster, job)
    cluster.cancel(job)
    runs = ended(cluster, "low", 3)
    assert [run.state for run in runs] == ["PREEMPTED", "REQUEUED", "CANCELLED"]
    assert (tmp_path / f"slurm-{job}.out").read_text().startswith("0\n")


def test_no_job_is_lost_while_the_controller_is_away(cluster: Cluster) -> None:
    ends = cluster.submit("sleep 8", "--job-name=away")
    goes_on = cluster.submit("sleep 20", "--job-name=away")
    for job in (ends, goes_on):
        running(cluster, job)
    waits = cluster.submit("true", "--job-name=away", "--begin=now+10")
    known = {ends, goes_on, waits}
    cluster.wait(lambda: {run.id for run in cluster.history("away")} == known, 10)
    cluster.stop_controller()
    began = time.monotonic()
    done = cluster.run("squeue")
    assert done.returncode == 1
    assert "Unable to contact slurm controller" in done.stderr
    assert {run.id for run in cluster.history("away")} == known
    time.sleep(max(0, 10 - (time.monotonic() - began)))
    cluster.start_controller()
    runs = {run.id: run.state for run in ended(cluster, "away", 3, seconds=60)}
    assert runs == dict.fromkeys(known, "COMPLETED")


def test_a_job_goes_on_without_its_node_and_starts_on_another(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Then there are two of it, until the first node is back."""
    first, *_, last = NODES
    job = cluster.submit(TICKS, "--job-name=twice", f"--exclude={last}", folder=tmp_path)
    assert running(cluster, job) == first

    def ticking() -> set[str]:
        (tmp_path / "ticks").write_text("")
        time.sleep(3)
        return set((tmp_path / "ticks").read_text().split())

    cluster.kill_node(first)
    cluster.wait(lambda: cluster.nodes()[first] == "down*", 60)
    cluster.wait(lambda: [j.state for j in cluster.jobs() if j.id == job] == ["PENDING"], 10)
    assert ticking() == {first}
    assert cluster.run("scontrol", "update", f"JobId={job}", "ExcNodeList=").returncode == 0
    cluster.start_now(job)
    assert running(cluster, job) == last
    assert ticking() == {first, last}
    cluster.start_node(first)
    assert ticking() == {last}
    cluster.cancel(job)
    runs = [(run.state, run.node) for run in ended(cluster, "twice", 2)]
    assert runs == [("NODE_FAIL", first), ("CANCELLED", last)]


def test_a_job_over_its_time_is_stopped(cluster: Cluster) -> None:
    (run,) = ended(cluster, "expired", seconds=60)
    assert run.state == "TIMEOUT"
    assert run.elapsed <= 35
    (run,) = ended(cluster, "limited", seconds=120)
    assert run.state == "TIMEOUT"
    assert 60 <= run.elapsed <= 100


def test_only_one_cluster_at_a_time(cluster: Cluster) -> None:
    with pytest.raises(FileExistsError, match="in use by the tests that process"):
        Cluster().start()
    assert cluster.nodes()


def test_a_configuration_that_is_not_the_tests_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "slurm.conf"
    config.write_text("ClusterName=real\n")
    monkeypatch.setattr(module, "CONFIG", config)
    with pytest.raises(FileExistsError, match="is there already"):
        Cluster().start()
    assert config.read_text() == "ClusterName=real\n"


INTERRUPTED = """
import os, signal
from tests.slurm.cluster import Cluster
cluster = Cluster()
cluster.start()
cluster.submit("touch ready; env --ignore-environment sleep 300")
cluster.wait((cluster.folder / "ready").exists, 20)
print(cluster.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_left_behind(cluster: Cluster) -> None:
    """Neither by a cluster that is stopped nor, once another starts, by one that was not."""
    cluster.submit("touch ready; env --ignore-environment sleep 300")
    cluster.wait((cluster.folder / "ready").exists, 20)
    folder, pids = cluster.folder, everything(cluster.folder)
    assert len(pids) > 8
    try:
        cluster.stop()
        assert gone(pids)
        assert not folder.exists()
        assert not CONFIG.exists()
        command = [sys.executable, "-c", INTERRUPTED]
        root = Path(__file__).parents[2]
        done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True)
        stale = Path(done.stdout.strip())
        pids = everything(stale)
        assert len(pids) > 8
    finally:
        cluster.start()
    assert gone(pids)
    assert not stale.exists()
    assert cluster.jobs() == []


def everything(folder: Path) -> set[int]:
    """The processes of a cluster."""
    return processes_of(module.cluster_name(folder))


def gone(pids: set[int]) -> bool:
    """Whether processes have ended; whoever adopted them may not have buried them yet."""
    states = [Path(f"/proc/{pid}/stat") for pid in pids]
    return all(path.read_text().rpartition(") ")[2][0] == "Z" for path in states if path.exists())
