"""pyproject.toml, constraints.txt and environment.yml speak of the same packages."""

import tomllib
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = {
    asking.name: asking for name in ("lab", "test") for asking in map(Requirement, EXTRAS[name])
}
PEERS = [Requirement(asking) for asking in EXTRAS["bench"]]  # in an environment of their own
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def pins(name):
    """The lines of a list of exact versions."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


PINNED = pins("constraints.txt")

# The oldest Python needs most: what newer ones have in their standard library.
OLDEST = {"python_version": "3.11", "python_full_version": "3.11.0"}
LINUX = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}


def from_conda():
    """{name: version}; only the forms `name` and `name=1.2` are used, which solvers read alike."""
    lines = [line for line in CONDA["dependencies"] if isinstance(line, str)]
    return {name: version for name, _, version in (line.partition("=") for line in lines)}


def needs(name, extra):
    """What the installed package `name` says that it needs, with `extra` or without ("")."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # only the oldest Python needs it
        return
    for asking in map(Requirement, lines):
        if not asking.marker or asking.marker.evaluate({**OLDEST, **LINUX, "extra": extra}):
            yield asking


def all_needed():
    """The names of what the extras ask for, of what that needs, and so on."""
    found, todo = set(), list(ASKED.values())
    while todo:
        asking = todo.pop()
        for extra in {"", *asking.extras}:
            if (one := (canonicalize_name(asking.name), extra)) not in found:
                found.add(one)
                todo += needs(*one)
    return {name for name, _ in found}


def test_conda_and_pip_are_asked_for_the_same():
    conda = {name: f"=={version}.*" for name, version in from_conda().items()}
    del conda["python"], conda["pip"]
    assert conda == {name: str(asking.specifier) for name, asking in ASKED.items()}


def test_conda_installs_a_python_that_we_support():
    assert SpecifierSet(PROJECT["requires-python"]).contains(from_conda()["python"])


def test_conda_has_one_channel_and_our_own_package():
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert CONDA["dependencies"][-1] == {"pip": ["-e ."]}


def test_tested_set_is_exact():
    """Names and versions, of all that is needed and of nothing else."""
    first = {"pip", "setuptools"}  # they install the others
    assert all(len(line.split("==")) == 2 and "*" not in line for line in PINNED)
    assert [line.split("==")[0] for line in PINNED] == sorted(all_needed() | first)


def test_tested_set_is_what_is_asked_for():
    pinned = dict(line.split("==") for line in PINNED)
    for name, asking in ASKED.items():
        assert asking.specifier.contains(pinned[name]), asking


def test_no_extra_is_forgotten():
    """Each belongs to an environment whose packages a test holds."""
    assert set(EXTRAS) == {"lab", "test", "bench"}


def test_peers_of_the_benchmark_are_pinned():
    """They are not installed here, so what they need in turn is not looked at."""
    pinned = dict(line.split("==") for line in pins("benchmarks/constraints.txt"))
    for asking in PEERS:
        assert asking.specifier.contains(pinned[asking.name]), asking
