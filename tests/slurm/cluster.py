"""A Slurm cluster on this host: real daemons, and two nodes with two GPUs each that do not exist.

The daemons, their key and their database are private, in a folder of their own. All that there is
outside of it is /etc/slurm/slurm.conf: Snakemake's jobs look for the configuration nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

CONFIG = Path("/etc/slurm/slurm.conf")
MARK = "# A cluster for gradcost's tests, which remove this file with it: "
PROCESSES = "processes.json"
NODES = ("n1", "n2")
GPUS, CPUS, MEMORY = 2, 4, 4096  # of a node; memory in MB
CARD = "l40"  # the type of its GPUs
FEATURES = {"n1": "rack-1", "n2": "rack-2"}  # with a hyphen, as no type may have
ACCOUNT = "study"

DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "squeue", "sacct", "sacctmgr", "scancel", "scontrol", "sinfo")
SETTINGS = ("SLURM", "SBATCH", "SRUN", "SALLOC", "SQUEUE", "SACCT", "SCANCEL", "SINFO", "MYSQL")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

SLURM = """\
{mark}{folder}
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[slurmctld]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid

# No cgroups; and there may be more CPUs and memory than the host has.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=512
GresTypes=gpu

# Faults show soon.
SlurmdTimeout=10
KillWait=5
MinJobAge=300
OverTimeLimit=0
JobRequeue=1
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=1,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[slurmdbd]}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu,gres/gpu:{card}
AccountingStoreFlags=job_comment

{nodes}
PartitionName=gpu Nodes=ALL PriorityTier=2 PreemptMode=OFF
PartitionName=cpu Nodes=ALL Default=YES PriorityTier=2 PreemptMode=OFF
PartitionName=preemptible Nodes=ALL PriorityTier=1
"""

SLURMDBD = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports[slurmdbd]}
SlurmUser=root
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
"""

# What is thrown away needs not outlive a power cut; who may open the folder may do everything.
MARIADB = (
    *("--no-defaults", "--user=root", "--skip-networking", "--skip-grant-tables"),
    *("--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0"),
    *("--innodb-log-file-size=16M", "--innodb-lock-wait-timeout=900", "--skip-innodb-doublewrite"),
)
SYSTEM_TABLES = Path("/usr/share/mysql/mysql_system_tables.sql")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Job:
    """A job that waits or runs, as squeue has it."""

    id: str
    name: str
    comment: str
    state: str
    reason: str
    node: str
    workdir: Path


@dataclass(frozen=True)
class Run:
    """One run of a job, as sacct has it: a job that was requeued has several."""

    id: str
    name: str
    state: str
    exit_code: str
    elapsed: int  # seconds
    node: str


class Cluster:
    """munged, MariaDB, slurmdbd, slurmctld and a slurmd for each node, in a private folder."""

    def __init__(self) -> None:
        self.folder = Path()
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # All of it

    def start(self) -> None:
        """Start everything, after removing what an interrupted run may have left."""
        if programs := missing():
            raise RuntimeError(f"not installed, which `make test-slurm` does: {programs}")
        if os.geteuid():
            raise PermissionError(f"the cluster writes {CONFIG}, which only root can do")
        clean_up()
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.daemons = {}
        self._note()
        try:
            self._configure()
            self._start_accounting()
            self.start_controller()
            for node in NODES:
                self._start_slurmd(node)
            self.wait(self._idle, 30)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill the daemons and what is left of jobs; remove the folder and the configuration."""
        if not self.daemons:
            return
        remove(self.folder)
        for daemon in self.daemons.values():
            daemon.wait()
        self.daemons = {}

    def reset(self) -> None:
        """Cancel every job and start what is down."""
        self.start_controller()
        for node in NODES:
            self._start_slurmd(node)
        self._call("scancel", "--user=root")
        self.wait(lambda: not self.jobs() and self._idle(), 60)

    def environment(self) -> dict[str, str]:
        """What a program needs, besides its own environment, to use the cluster."""
        return {"SLURM_CONF": str(CONFIG)}

    # Its parts

    def nodes(self) -> dict[str, str]:
        """The state of each node: idle, mixed, allocated, down..."""
        lines = self._call("sinfo", "-h", "-N", "-p", "gpu", "-o", "%N %T").splitlines()
        return dict(line.split() for line in lines)

    def kill_node(self, name: str) -> None:
        """Kill a node's slurmd; its jobs go on until it is back, as behind a broken network."""
        self.daemons[name].kill()
        self.daemons[name].wait()

    def start_node(self, name: str) -> None:
        """Start a node's slurmd, and wait until jobs can run there."""
        self._start_slurmd(name)
        self.wait(lambda: self.nodes()[name] in {"idle", "mixed", "allocated"}, 30)

    def stop_controller(self) -> None:
        """Stop slurmctld, which saves its state."""
        self.daemons["slurmctld"].terminate()
        self.daemons["slurmctld"].wait()

    def start_controller(self) -> None:
        """Start slurmctld, and wait until it answers."""
        if not self._runs("slurmctld"):
            self._start("slurmctld", "slurmctld", "-D")
        self.wait(lambda: "is UP" in self.run("scontrol", "ping").stdout, 30)

    # Jobs

    def submit(self, script: str, *options: str, folder: Path | None = None) -> str:
        """Submit shell commands; the job's id. Its output is slurm-ID.out in the folder."""
        command = ("sbatch", "--parsable", *options, "--wrap", script)
        return self._call(*command, folder=folder).strip()

    def jobs(self) -> list[Job]:
        """The jobs that wait or run."""
        lines = self._call("squeue", "-h", "-o", "\x1f".join("%i %j %k %T %r %N %Z".split()))
        return [
            Job(job, name, comment, state, reason, node, Path(workdir))
            for job, name, comment, state, reason, node, workdir in (
                line.split("\x1f") for line in lines.splitlines()
            )
        ]

    def history(self, name: str | None = None) -> list[Run]:
        """All runs of all jobs, or of the jobs of a name, in the order in which they began."""
        fields = "--format=JobID,JobName,State,ExitCode,ElapsedRaw,NodeList"
        form = ("-X", "-D", "-n", "-P", "--delimiter=\x1f", "--starttime=now-1day", fields)
        lines = self._call("sacct", *form, *([f"--name={name}"] if name else [])).splitlines()
        return [
            Run(job, called, state.split()[0], code, int(seconds), node)
            for job, called, state, code, seconds, node in (line.split("\x1f") for line in lines)
        ]

    def cancel(self, job: str) -> None:
        """Cancel a job."""
        self._call("scancel", job)

    def requeue(self, job: str) -> None:
        """Stop a job and queue it again, as preemption does."""
        self._call("scontrol", "requeue", job)

    def start_now(self, job: str) -> None:
        """Let a job that was queued again start at once, and not in two minutes.

        That is three seconds: sooner, its node may take it for the run that it had to stop.
        """
        self._call("scontrol", "update", f"JobId={job}", "StartTime=now+3")

    def set_time_limit(self, job: str, minutes: int) -> None:
        """Change a job's time limit, counted from its start; Slurm looks at it twice a minute."""
        self._call("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}")

    def expire(self, job: str) -> None:
        """Let a job's time be over: it is stopped within half a minute.

        Of one that began in this second Slurm takes no end now, so it is asked again.
        """
        update = ("scontrol", "update", f"JobId={job}", "EndTime=now")
        self.wait(lambda: self.run(*update).returncode == 0, 10)

    # Around it

    def wait(self, predicate: Callable[[], Result], seconds: float) -> Result:
        """Wait until something holds: what it returned. After so many seconds that is an error."""
        end = time.monotonic() + seconds
        while not (result := predicate()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} seconds\n{self.logs()}")
            time.sleep(0.2)
        return result

    def logs(self) -> str:
        """The last lines of every daemon."""
        return "\n".join(
            f"{log.name}:\n{log.read_text(errors='replace')[-3000:]}"
            for log in sorted(self.folder.glob("*.log"))
        )

    def run(self, *command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of Slurm's programs, in a folder."""
        return subprocess.run(
            command,
            cwd=folder or self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
        )

    def _call(self, *command: str, folder: Path | None = None) -> str:
        """The output of a program that has to succeed."""
        done = self.run(*command, folder=folder)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}\n{self.logs()}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """The caller's, without its settings for Slurm, and with this cluster's configuration."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
        return {**kept, "PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def _idle(self) -> bool:
        return self.nodes() == dict.fromkeys(NODES, "idle")

    # How it is started

    def _configure(self) -> None:
        """Write the files of the folder, and the configuration where jobs look for it."""
        listeners = ("slurmctld", "slurmdbd", *NODES)
        ports = dict(zip(listeners, free_ports(len(listeners)), strict=True))
        host = socket.gethostname().split(".")[0]
        values = {"folder": self.folder, "host": host, "ports": ports}
        hardware = f"CPUs={CPUS} RealMemory={MEMORY} Gres=gpu:{CARD}:{GPUS}"
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[node]} {hardware} "
            f"Feature={FEATURES[node]}"
            for node in NODES
        )
        slurm = SLURM.format(
            mark=MARK, card=CARD, name=cluster_name(self.folder), nodes=nodes, **values
        )
        self._write("slurm.conf", slurm.encode())
        self._write("slurmdbd.conf", SLURMDBD.format(**values).encode())
        gres = f"Name=gpu Type={CARD} File={self.folder}/gpu[0-{GPUS - 1}]\n"
        self._write("gres.conf", gres.encode())
        self._write("munge.key", os.urandom(128))
        for gpu in range(GPUS):  # not a regular file: Slurm wants devices
            (self.folder / f"gpu{gpu}").symlink_to("/dev/null")
        with CONFIG.open("x") as file:
            file.write(slurm)

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)

    def _start_accounting(self) -> None:
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid"}
        files |= {"log-file": "munge.log", "seed-file": "munge.seed"}
        options = [f"--{option}={self.folder / file}" for option, file in files.items()]
        self._start("munged", "munged", "--foreground", "--force", *options)

        (self.folder / "database/mysql").mkdir(parents=True)
        mariadbd = ("mariadbd", *MARIADB, f"--datadir={self.folder / 'database'}")
        subprocess.run(
            [*mariadbd, "--bootstrap"],
            input=f"use mysql;\n{SYSTEM_TABLES.read_text()}",
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        database = self.folder / "database.socket"
        self._start("mariadbd", *mariadbd, f"--socket={database}")
        self.wait(lambda: answers(database) and answers(self.folder / "munge.socket"), 30)

        self._start("slurmdbd", "slurmdbd", "-D")
        add = ("sacctmgr", "--immediate", "add")
        name = cluster_name(self.folder)
        self.wait(lambda: self.run(*add, "cluster", name).returncode == 0, 60)
        self._call(*add, "account", ACCOUNT)
        self._call(*add, "user", "root", f"account={ACCOUNT}")

    def _start_slurmd(self, node: str) -> None:
        if not self._runs(node):
            self._start(node, "slurmd", "-D", "-N", node)

    def _start(self, name: str, *command: str) -> None:
        """Start a daemon, and write down its process for whoever will have to stop it."""
        marks = {
            "SLURM_CLUSTER_NAME": cluster_name(self.folder),  # jobs get it too
            "MYSQL_UNIX_PORT": str(self.folder / "database.socket"),
        }
        with (self.folder / f"{name}.log").open("a") as log:
            self.daemons[name] = subprocess.Popen(
                command,
                env=self._environment() | marks,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
            )
        self._note()

    def _runs(self, name: str) -> bool:
        return name in self.daemons and self.daemons[name].poll() is None

    def _note(self) -> None:
        pids = [os.getpid(), *(daemon.pid for daemon in self.daemons.values())]
        new = self.folder / "new"
        new.write_text(json.dumps([(pid, identity(pid)) for pid in pids]))
        new.rename(self.folder / PROCESSES)


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in (*DAEMONS, *COMMANDS) if not shutil.which(name, path=PATH)]


def clean_up() -> None:
    """Remove what an interrupted run has left; refuse where a configuration is another's."""
    if not CONFIG.exists():
        return
    first = CONFIG.read_text().split("\n", 1)[0]
    if not first.startswith(MARK):
        raise FileExistsError(f"{CONFIG} is there already: this host is part of a cluster")
    folder = Path(first.removeprefix(MARK))
    owner, *_ = noted(folder) or [None]
    if owner:
        raise FileExistsError(f"{CONFIG} is in use by the tests that process {owner} runs")
    remove(folder)


def remove(folder: Path) -> None:
    """Kill a cluster's daemons and its jobs' processes, and remove its files."""
    _, *daemons = noted(folder) or [None]
    kill(filter(None, daemons))
    while left := processes_of(cluster_name(folder)):
        kill(left)
        time.sleep(0.05)
    if CONFIG.exists() and CONFIG.read_text().startswith(f"{MARK}{folder}\n"):
        CONFIG.unlink()
    if (folder / PROCESSES).exists():  # or it is not, or no longer, ours
        shutil.rmtree(folder)


def noted(folder: Path) -> list[int | None]:
    """The processes that a cluster has written down: its owner, then its daemons; None if gone."""
    if not (folder / PROCESSES).exists():
        return []
    notes = json.loads((folder / PROCESSES).read_text())
    return [pid if identity(pid) == then else None for pid, then in notes]


def identity(pid: int) -> str | None:
    """What a process is called and when it began: another of its number differs in that."""
    if not (found := stat(pid)):
        return None
    name, _, start = found
    return f"{name} {start}"


def stat(pid: int) -> tuple[str, int, str] | None:
    """A process's name, its parent, and when it began."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(") ")
    except OSError:
        return None
    fields = rest.split()
    return name, int(fields[1]), fields[19]


def processes_of(cluster: str) -> set[int]:
    """The processes of a cluster's daemons and jobs, and all that these have started."""
    mark = f"SLURM_CLUSTER_NAME={cluster}".encode()
    found = set()
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if not (status := stat(pid)):
            continue
        parents[pid] = status[1]
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def cluster_name(folder: Path) -> str:
    return re.sub(r"\W", "_", folder.name)


def answers(path: Path) -> bool:
    """Whether someone listens at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def free_ports(count: int) -> list[int]:
    """Ports that no one listens at, and below those that outgoing connections take."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            ports.append(port)
    return ports
