"""One process that has imported torch and pandas, for all the jobs of one machine.

Importing torch, transformers and peft takes seconds, as long as a whole run of the demo
scale. While Snakemake runs on one machine it keeps a process that has imported these
packages, and nothing of this project; `python -m gradcost` asks it to fork, and the fork does
what the command would have done itself, with the project's code as it is then on disk.

The process lives as long as the Snakemake that started it: it ends when its standard input
is closed, even by SIGKILL. A fork ends with the command that asked for it. Without such a
process, or with `GRADCOST_WARM` unset, the command simply runs on its own.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path

VARIABLE = "GRADCOST_WARM"
_PACKAGES = (
    "numpy",
    "pyarrow.parquet",
    "torch.utils.flop_counter",
    "transformers.models.llama.modeling_llama",
    "transformers.models.auto.modeling_auto",
    "peft",
    "safetensors.torch",
    "pandas",
    "scipy.stats",
    "matplotlib.figure",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "typer",
    "grimp",
    "pydantic",
)


def start() -> subprocess.Popen[bytes]:
    """Start the process and tell later children of this one of it, through the environment."""
    folder = tempfile.mkdtemp(prefix="gradcost-")
    path = Path(folder) / "warm"
    os.environ[VARIABLE] = str(path)
    return subprocess.Popen([sys.executable, "-m", "gradcost.warm", path], stdin=subprocess.PIPE)


def delegate(arguments: list[str]) -> int | None:
    """Have `gradcost ARGUMENTS` done by a fork; its exit code, or None if there is none to ask."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        return None
    with connection:
        request = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
        text = json.dumps(request).encode()
        socket.send_fds(connection, [struct.pack("!I", len(text))], [1, 2])
        connection.sendall(text)
        answer = connection.recv(4)
    if len(answer) < 4:
        print("gradcost: the process that forks for training has died", file=sys.stderr)
        return 1
    return int(struct.unpack("!i", answer)[0])


def serve(path: Path) -> None:
    """Listen at `path` and fork for each request, until standard input is closed."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(128)
    # Ctrl-C is Snakemake's business; forks are waited for by nobody
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    imported = False
    while True:
        ready, _, _ = select.select([listener.fileno(), 0], [], [])
        if 0 in ready:
            path.unlink()
            path.parent.rmdir()
            return
        connection, _ = listener.accept()
        if not imported:
            _import_packages()
            imported = True
        if os.fork() == 0:
            listener.close()
            _attend(connection)
        connection.close()


def _import_packages() -> None:
    for name in _PACKAGES:
        import_module(name)
    if threading.active_count() > 1:
        raise RuntimeError("a package started a thread on import; a fork would lose it")


def _attend(connection: socket.socket) -> None:
    """Do one request in a child, and end it if the one who asked goes away. Never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    header, descriptors, _, _ = socket.recv_fds(connection, 4, 2)
    (size,) = struct.unpack("!I", header)
    text = b""
    while len(text) < size:
        text += connection.recv(size - len(text))
    worker = os.fork()
    if worker == 0:
        connection.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os._exit(_work(json.loads(text), descriptors))
    for descriptor in descriptors:
        os.close(descriptor)
    done = os.pidfd_open(worker)
    ready, _, _ = select.select([connection.fileno(), done], [], [])
    if done not in ready:
        os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    code = os.waitstatus_to_exitcode(status)
    if done in ready:
        connection.sendall(struct.pack("!i", code if code >= 0 else 128 - code))
    os._exit(0)


def _work(request: dict[str, object], descriptors: list[int]) -> int:
    """The request itself, in this process; its exit code."""
    os.dup2(descriptors[0], 1)
    os.dup2(descriptors[1], 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    environment: dict[str, str] = request["environment"]  # type: ignore[assignment]
    os.environ.clear()
    os.environ.update(environment)
    del os.environ[VARIABLE]
    os.chdir(str(request["folder"]))
    arguments: list[str] = request["arguments"]  # type: ignore[assignment]
    sys.argv = ["gradcost", *arguments]
    code = 1
    try:
        cli = import_module("gradcost.cli")
        cli.app(arguments, prog_name="gradcost")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
