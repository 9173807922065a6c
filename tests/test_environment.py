"""The set-up: pins, environment files, and what the scripts say and do when something is missing.

The scripts run in a folder of their own with a PATH on which every program is a stand-in. Nothing
is installed and nothing is downloaded.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
ENVS = ROOT / "envs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(*lines: str) -> list[Requirement]:
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


DEPENDENCIES = requirements(*PROJECT["dependencies"])
DEVELOPMENT = requirements(*PROJECT["optional-dependencies"]["dev"])
CONSTRAINTS = requirements(*(ENVS / "constraints.txt").read_text().splitlines())
PINS = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in CONSTRAINTS}


# Pins


def test_constraints_are_exact_public_versions_one_a_package() -> None:
    assert not [str(pin) for pin in CONSTRAINTS if not re.fullmatch(r"==[^*]+", str(pin.specifier))]
    assert not [name for name, version in PINS.items() if Version(version).local]
    assert len(PINS) == len(CONSTRAINTS)


@pytest.mark.parametrize("dependency", DEPENDENCIES + DEVELOPMENT, ids=lambda d: d.name)
def test_every_dependency_is_pinned_within_its_bounds(dependency: Requirement) -> None:
    assert PINS.get(canonicalize_name(dependency.name), "no pin") in dependency.specifier


def test_installed_packages_are_the_pinned_ones() -> None:
    """Everything the project needs, to the last transitive dependency, at the pinned version."""
    wrong = []
    queue = [*DEPENDENCIES, *DEVELOPMENT]
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        needed = queue.pop()
        name, extras = canonicalize_name(needed.name), frozenset(needed.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name}: not installed")
            continue
        # A local version (+cpu) says who built it, not what it is.
        if Version(distribution.version).public != PINS.get(name):
            wrong.append(f"{name}: {distribution.version} installed, {PINS.get(name)} pinned")
        for requirement in requirements(*(distribution.requires or ())):
            marker = requirement.marker
            if not marker or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                queue.append(requirement)
    assert not wrong, "run `make test`, which sets up, or `make pins`:\n" + "\n".join(wrong)


# Environment files for `snakemake --sdm conda`, which a dry run accepts even when they are broken


def test_conda_environment_holds_the_dependencies_at_their_pins() -> None:
    environment = yaml.safe_load((ENVS / "gradcost.yaml").read_text())
    *packages, pip = environment["dependencies"]
    assert packages == ["python=3.11", "pip"]
    expected = [f"{each.name}=={PINS[canonicalize_name(each.name)]}" for each in DEPENDENCIES]
    assert pip == {"pip": expected}, "it should read:\n" + "\n".join(f"- {e}" for e in expected)


def test_conda_environment_installs_the_project() -> None:
    script = (ENVS / "gradcost.post-deploy.sh").read_text()
    assert "install --constraint envs/constraints.txt --editable .\n" in script


@pytest.mark.parametrize("name", ["gradcost", "latex"])
def test_conda_environments_have_channels_and_pinned_packages(name: str) -> None:
    environment = yaml.safe_load((ENVS / f"{name}.yaml").read_text())
    assert set(environment) == {"channels", "dependencies"}
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    packages = [each for each in environment["dependencies"] if isinstance(each, str)]
    assert all(re.fullmatch(r"[\w.-]+=\d[\d.]*|pip", each) for each in packages)


# uv is told what pip is told


def exports(listing: str, **environment: str) -> list[str]:
    """What envs/uv_settings.py prints for an output of `pip config list`."""
    command = [sys.executable, str(ENVS / "uv_settings.py")]
    done = subprocess.run(
        command, input=listing, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split("\n")[:-1]


def test_uv_gets_pips_wheels_indexes_and_certificates(tmp_path: Path) -> None:
    listing = "\n".join(
        [
            f"global.find-links='\\n{tmp_path}\\n/no/such/folder\\nhttps://wheels.invalid/x'",
            "global.index-url='https://mirror.invalid/simple'",
            "global.extra-index-url='https://a.invalid/simple https://b.invalid/simple'",
            "global.cert='/certificates.pem'",
            "global.trusted-host='mirror.invalid'",
            "global.proxy='http://proxy.invalid:3128'",
            "global.no-index='true'",
            "freeze.timeout='10'",
        ]
    )
    assert exports(listing) == [
        f"export UV_FIND_LINKS={tmp_path},https://wheels.invalid/x",
        "export UV_NO_INDEX=1",
        "export UV_DEFAULT_INDEX=https://mirror.invalid/simple",
        "export UV_INDEX='https://a.invalid/simple https://b.invalid/simple'",
        "export UV_INDEX_STRATEGY=unsafe-best-match",
        "export SSL_CERT_FILE=/certificates.pem",
        "export UV_INSECURE_HOST=mirror.invalid",
        "export ALL_PROXY=http://proxy.invalid:3128",
    ]


def test_uv_settings_take_pips_order_and_leave_uvs_own_alone() -> None:
    listing = ":env:.cert='/env'\nglobal.cert='/global'\ninstall.cert='/install'\n"
    assert exports(listing) == ["export SSL_CERT_FILE=/env"]
    assert exports(listing.split("\n", 1)[1]) == ["export SSL_CERT_FILE=/install"]
    assert exports(listing, SSL_CERT_FILE="/mine") == [""]
    assert exports("") == [""]


# The scripts


class Machine:
    """A copy of the set-up in a folder, and a PATH of stand-ins that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.bin = folder / "bin"
        self.calls_file = folder / "calls"
        shutil.copytree(ENVS, self.root / "envs")
        shutil.copy(ROOT / "pyproject.toml", self.root)
        shutil.copy(ROOT / "Makefile", self.root)
        self.bin.mkdir()
        for name in ("bash", "cat", "chmod", "dirname", "env", "make", "mkdir", "rm", "sed"):
            real = shutil.which(name)
            assert real, f"the test needs {name}"
            (self.bin / name).symlink_to(real)

    def program(self, name: str, body: str = "exit 0") -> Path:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.calls_file}\n{body}\n')
        path.chmod(0o755)
        return path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env={"PATH": str(self.bin), "HOME": str(self.root), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


ROOT_USER = "echo 0"
OTHER_USER = "echo 1000"
FINDS_ALL = 'for style; do echo "/texmf/$style"; done'


def latex_is_installed(machine: Machine, but: str = "") -> None:
    machine.program("latexmk")
    machine.program("pdflatex")
    machine.program("kpsewhich", f'{FINDS_ALL} | sed "/{but or "nothing"}/d"')


def test_latex_that_is_there_is_left_alone(machine: Machine) -> None:
    latex_is_installed(machine)
    done = machine.run("envs/latex.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert {call.split()[0] for call in machine.calls} == {"kpsewhich"}


@pytest.mark.parametrize("missing", ["booktabs.sty", "lmodern.sty", "latexmk"])
def test_missing_latex_is_named_with_what_installs_it(machine: Machine, missing: str) -> None:
    latex_is_installed(machine, but=missing)
    if missing == "latexmk":
        (machine.bin / "latexmk").unlink()
    done = machine.run("envs/latex.sh")
    assert done.returncode == 1
    assert f"missing: {missing} \n" in done.stderr
    for way in ("apt-get install", "lmodern (as root)", "dnf install", "brew install", "conda"):
        assert way in done.stderr


def test_root_has_latex_installed_without_recommended_packages(machine: Machine) -> None:
    machine.program("id", ROOT_USER)
    # There but not executable, which this apt-get changes.
    latex_is_installed(machine)
    installed = [machine.bin / name for name in ("kpsewhich", "latexmk", "pdflatex")]
    for program in installed:
        program.chmod(0o644)
    machine.program(
        "apt-get",
        f"[ $DEBIAN_FRONTEND = noninteractive ] && chmod +x {' '.join(map(str, installed))}",
    )
    done = machine.run("envs/latex.sh")
    assert done.returncode == 0, done.stderr
    update, install = (call for call in machine.calls if call.startswith("apt-get"))
    assert update.endswith(" update")
    assert " install --yes --no-install-recommends " in install
    assert install.endswith("texlive-latex-base texlive-latex-recommended latexmk lmodern")


def test_a_user_with_passwordless_sudo_installs_through_it(machine: Machine) -> None:
    machine.program("id", OTHER_USER)
    machine.program("apt-get")
    machine.program("sudo", 'shift; [ "$1" = true ] || "$@"')
    assert machine.run("envs/apt.sh", "lmodern").returncode == 0
    assert any(
        re.match("sudo -n env .*apt-get .*install .*lmodern", call) for call in machine.calls
    )


def test_apt_may_install_from_the_list_at_hand(machine: Machine) -> None:
    machine.program("id", ROOT_USER)
    machine.program("apt-get", 'case "$*" in *update) exit 100 ;; esac')
    assert machine.run("envs/apt.sh", "lmodern").returncode == 0


def no_apt(machine: Machine) -> None:
    machine.program("id", ROOT_USER)


def sudo_wants_a_password(machine: Machine) -> None:
    machine.program("id", OTHER_USER)
    machine.program("sudo", "exit 1")
    machine.program("apt-get")


def no_sudo(machine: Machine) -> None:
    machine.program("id", OTHER_USER)
    machine.program("apt-get")


def no_network(machine: Machine) -> None:
    machine.program("id", ROOT_USER)
    machine.program("apt-get", "echo 'E: Could not resolve' >&2; exit 100")


@pytest.mark.parametrize("case", [no_apt, sudo_wants_a_password, no_sudo, no_network])
def test_where_apt_may_not_or_cannot_the_message_says_what_to_do(
    machine: Machine, case: Callable[[Machine], None]
) -> None:
    case(machine)
    done = machine.run("envs/latex.sh")
    assert done.returncode == 1
    assert "the report cannot be typeset here" in done.stderr
    if case is not no_network:
        assert not [call for call in machine.calls if call.startswith("apt-get")]


def test_the_styles_that_the_report_loads_are_checked_for() -> None:
    script = (ENVS / "latex.sh").read_text()
    sources = [*(ROOT / "reports").glob("*.tex"), *(ROOT / "reports").glob("*.sty")]
    loaded = {
        style.strip()
        for source in sources
        for names in re.findall(
            r"^[^%\n]*\\usepackage(?:\[[^]]*\])?\{([^}]+)\}", source.read_text(), re.M
        )
        for style in names.split(",")
    }
    own = {source.stem for source in sources}
    # Part of LaTeX itself, in every installation that can typeset anything.
    base = {"array", "fontenc", "inputenc", "textcomp", "amsmath", "amssymb", "amsfonts", "amsthm"}
    assert not {style for style in loaded - own - base if f"{style}.sty" not in script}


# A Python for envs/setup.sh: answers its questions, makes a .venv whose own Python is like it.
PYTHON = """
case "$*" in
*_base_executable*) [ -z "$OLD" ] || exit 1; echo "$0" ;;
*ensurepip*) [ -z "$NO_VENV" ] || [ -e "$NO_VENV" ] ;;
*version_info*) echo 3.11 ;;
"-m venv"*)
    rm -rf .venv; mkdir -p .venv/bin
    cat "$0" >.venv/bin/python; chmod +x .venv/bin/python ;;
"-m pip install"*) [ -z "$NO_NETWORK" ] || { echo "no route to host" >&2; exit 1; } ;;
esac
"""


@pytest.fixture
def ready_machine(machine: Machine) -> Machine:
    """A machine with Python and uv, on which the set-up succeeds."""
    machine.program("python3.11", PYTHON)
    machine.program("uv", "exit ${UV_FAILS:-0}")
    return machine


def test_no_python(machine: Machine) -> None:
    done = machine.run("envs/setup.sh")
    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr
    assert not (machine.root / ".venv").exists()


def test_a_python_that_is_too_old_or_only_a_stand_in(machine: Machine) -> None:
    machine.program("python3", PYTHON)
    machine.program("python3.11", "echo 'pyenv: python3.11: command not found' >&2; exit 127")
    done = machine.run("envs/setup.sh", OLD="1")
    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr
    assert "pyenv" not in done.stderr


def test_the_oldest_python_taken_is_the_oldest_supported() -> None:
    oldest = PROJECT["requires-python"].removeprefix(">=").replace(".", ", ")
    assert f"sys.version_info < ({oldest})" in (ENVS / "setup.sh").read_text()


def test_the_python_that_is_named_is_taken(ready_machine: Machine) -> None:
    mine = ready_machine.program("mine", PYTHON)
    done = ready_machine.run("envs/setup.sh", PYTHON=str(mine))
    assert done.returncode == 0, done.stderr
    assert f"making .venv with {mine}" in done.stderr


def test_debians_python_without_venv(ready_machine: Machine, tmp_path: Path) -> None:
    done = ready_machine.run("envs/setup.sh", NO_VENV=str(tmp_path / "installed"))
    assert done.returncode == 1
    assert "apt-get install python3.11-venv (as root)" in done.stderr
    ready_machine.program("id", ROOT_USER)
    ready_machine.program("apt-get", f"echo >{tmp_path / 'installed'}")
    done = ready_machine.run("envs/setup.sh", NO_VENV=str(tmp_path / "installed"))
    assert done.returncode == 0, done.stderr
    assert any(call.endswith("python3.11-venv") for call in ready_machine.calls)


def test_uv_installs_what_is_pinned_and_compiles_it(ready_machine: Machine) -> None:
    done = ready_machine.run("envs/setup.sh")
    assert done.returncode == 0, done.stderr
    (uv,) = (call for call in ready_machine.calls if call.startswith("uv"))
    assert "--constraint envs/constraints.txt" in uv
    assert "--compile-bytecode" in uv
    assert uv.endswith("--editable .[dev]")


def test_pip_installs_the_same_when_uv_cannot(ready_machine: Machine) -> None:
    done = ready_machine.run("envs/setup.sh", UV_FAILS="2")
    assert done.returncode == 0, done.stderr
    assert "installing the packages with pip" in done.stderr
    install = "-m pip install --quiet --constraint envs/constraints.txt --editable .[dev]"
    assert any(call.endswith(install) for call in ready_machine.calls)


def test_no_network_is_said_and_the_next_call_repairs(ready_machine: Machine) -> None:
    (ready_machine.bin / "uv").unlink()
    done = ready_machine.run("envs/setup.sh", NO_NETWORK="1")
    assert done.returncode == 1
    assert "no route to host" in done.stderr
    assert "HTTPS_PROXY" in done.stderr
    assert not (ready_machine.root / ".venv/ready").exists()
    ready_machine.program("uv")
    done = ready_machine.run("envs/setup.sh")
    assert done.returncode == 0, done.stderr
    assert "unfinished" in done.stderr
    assert (ready_machine.root / ".venv/ready").exists()


def test_an_update_that_fails_is_repaired_too(ready_machine: Machine) -> None:
    assert ready_machine.run("envs/setup.sh").returncode == 0
    assert ready_machine.run("envs/setup.sh", UV_FAILS="2", NO_NETWORK="1").returncode == 1
    done = ready_machine.run("envs/setup.sh")
    assert done.returncode == 0
    assert "making it anew" in done.stderr


def test_make_sets_up_once_and_again_only_for_a_reason(ready_machine: Machine) -> None:
    def sets_up(root: Path) -> str:
        ready_machine.root = root
        done = ready_machine.run("make", ".venv/ready")
        assert done.returncode == 0, done.stderr
        return done.stderr

    here = ready_machine.root
    assert "making .venv" in sets_up(here)
    assert sets_up(here) == ""
    stamp = (here / ".venv/ready").stat().st_mtime
    os.utime(here / "envs/constraints.txt", (stamp + 5, stamp + 5))
    assert "bringing .venv up to date" in sets_up(here)
    os.utime(here / "envs/constraints.txt", (stamp - 5, stamp - 5))
    assert sets_up(here) == ""
    copy = here.parent / "copy"
    shutil.copytree(here, copy)
    assert "made elsewhere" in sets_up(copy)


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: ([a-z -]+)$", makefile, re.M)
    assert phony.split() == re.findall(r"^([a-z-]+):.*## ", makefile, re.M)
