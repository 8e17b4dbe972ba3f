"""The image has our packages and our Python, an unprivileged user, and is in nobody's way."""

import json
import re
import shlex
import tomllib

import pytest
import yaml

from tests.paths import ROOT

FOLDER = ROOT / ".devcontainer"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
# One instruction a line: a line that goes on is joined to the next.
LINES = re.sub(r"(?m)^#.*\n", "", DOCKERFILE).replace("\\\n", " ").splitlines()
# [(instruction, what follows), ...]
STEPS = [(name, rest) for name, _, rest in (line.partition(" ") for line in LINES if line)]
# https://docs.docker.com/reference/dockerfile/
INSTRUCTIONS = "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL"
INSTRUCTIONS += " STOPSIGNAL USER VOLUME WORKDIR"
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
CONFIGURATION = json.loads((FOLDER / "devcontainer.json").read_text(encoding="utf-8"))
# https://containers.dev/implementors/json_reference/
KEYS = {
    "": "name build remoteUser containerUser containerEnv remoteEnv features mounts runArgs "
    "workspaceFolder workspaceMount forwardPorts portsAttributes otherPortsAttributes init "
    "onCreateCommand updateContentCommand postCreateCommand postStartCommand postAttachCommand "
    "waitFor hostRequirements capAdd securityOpt customizations",
    "build": "dockerfile context target args options cacheFrom",
    "customizations": "vscode codespaces jetbrains",
}


def steps(instruction):
    return [rest for name, rest in STEPS if name == instruction]


def stages():
    return {one.rpartition(" AS ")[2] for one in steps("FROM")}


def test_every_line_is_an_instruction():
    """One that lost the backslash above it is none, and a build would stop there."""
    assert not [(name, rest) for name, rest in STEPS if name not in INSTRUCTIONS.split()]


@pytest.mark.parametrize("part", KEYS)
def test_every_key_is_one_of_a_development_container(part):
    """Editors pass by a misspelt one without a word."""
    assert (CONFIGURATION[part] if part else CONFIGURATION).keys() <= set(KEYS[part].split())


def test_python_is_that_of_the_conda_environment():
    """One Python wherever nobody has chosen one."""
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (line,) = [one for one in conda["dependencies"] if str(one).startswith("python=")]
    first, *others = steps("FROM")
    assert first.startswith(f"python:{line.removeprefix('python=')}-slim")
    assert all(one.split()[0] in stages() for one in others)


def test_packages_are_the_tested_set():
    """By the set-up of every clone, which knows constraints.txt, and by nothing else."""
    runs = " ".join(steps("RUN"))
    assert "make .venv" in runs
    assert re.search(r"\bpip\b", runs) is None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ((extra, pins),) = re.findall(r'sh tools/setup.sh "" (\w+) (\S+)', runs)
    assert extra in project["optional-dependencies"]
    assert (ROOT / pins).is_file()


def test_what_is_installed_is_what_is_started():
    """JupyterHub gives the command jupyterhub-singleuser: it has to be found."""
    (folder,) = steps("WORKDIR")
    assert f"PATH={folder}/.venv/bin:$PATH" in steps("ENV")
    (command,) = map(json.loads, steps("CMD"))
    assert command[:2] == ["make", "lab"]
    assert "--ip=0.0.0.0" in shlex.split(command[2].removeprefix("LAB="))


def test_nobody_is_root():
    """From before our files come to the end."""
    names = [name for name, _ in STEPS]
    assert steps("USER") == ["1000"]
    assert "--uid 1000" in " ".join(steps("RUN"))
    assert names.index("USER") < names.index("COPY")
    assert CONFIGURATION["remoteUser"] in " ".join(steps("RUN"))


def test_development_container_is_a_stage_of_it():
    build = CONFIGURATION["build"]
    assert (FOLDER / build["dockerfile"]).is_file()
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert build["target"] in stages()
    assert CONFIGURATION["forwardPorts"] == [int(port) for port in steps("EXPOSE")]
    target = CONFIGURATION["postCreateCommand"].removeprefix("make ")
    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_binder_reads_the_environment():
    """repo2docker looks for these first."""
    assert not [name for name in ("binder", ".binder", "Dockerfile") if (ROOT / name).exists()]
    assert (ROOT / "environment.yml").is_file()


@pytest.mark.parametrize("name", [".venv", "build", ".git"])
def test_a_machine_of_ours_is_not_copied(name):
    assert name in IGNORED
