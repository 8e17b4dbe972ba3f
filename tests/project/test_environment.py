"""pyproject.toml, constraints.txt and environment.yml speak of the same packages."""

import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
TESTED = "lab", "test", "browser"  # whose exact versions are in constraints.txt
ASKED = {one.name: one for name in TESTED for one in map(Requirement, EXTRAS[name])}
WITHOUT_CONDA = {one.name for one in map(Requirement, EXTRAS["browser"])}  # and not for Binder
MORE = {  # the others, and where they are pinned: beside that set
    "site": "docs/constraints.txt",
    "hub": ".devcontainer/constraints.txt",
    "bench": "benchmarks/constraints.txt",
}
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


def all_needed(asked):
    """The names of what is asked for, of what that needs, and so on."""
    found, todo = set(), list(asked)
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
    asked = {name: str(asking.specifier) for name, asking in ASKED.items()}
    assert conda == {name: asked[name] for name in asked.keys() - WITHOUT_CONDA}


def test_conda_installs_a_python_that_we_support():
    assert SpecifierSet(PROJECT["requires-python"]).contains(from_conda()["python"])


def test_conda_has_one_channel_and_our_own_package():
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert CONDA["dependencies"][-1] == {"pip": ["-e ."]}


def test_tested_set_is_exact():
    """Names and versions, of all that is needed and of nothing else."""
    first = {"pip", "setuptools"}  # they install the others
    assert all(len(line.split("==")) == 2 and "*" not in line for line in PINNED)
    assert [line.split("==")[0] for line in PINNED] == sorted(all_needed(ASKED.values()) | first)


def test_tested_set_is_what_is_asked_for():
    pinned = dict(line.split("==") for line in PINNED)
    for name, asking in ASKED.items():
        assert asking.specifier.contains(pinned[name]), asking


def test_no_extra_is_forgotten():
    """Each belongs to an environment whose packages a test holds."""
    assert set(EXTRAS) == {*TESTED, *MORE}


@pytest.mark.parametrize("extra", MORE)
def test_what_one_extra_needs_more_is_pinned_too(extra):
    """What it needs in turn is known where it is installed; make site asks this as well."""
    asked = [Requirement(line) for line in EXTRAS[extra]]
    pinned, more = (dict(line.split("==") for line in one) for one in (PINNED, pins(MORE[extra])))
    assert list(more) == sorted(more)
    assert all(more[name] == pinned[name] for name in more.keys() & pinned.keys())
    for asking in asked:
        assert asking.specifier.contains((pinned | more)[asking.name]), asking
    try:
        for asking in asked:
            metadata.version(asking.name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{asking.name} is not installed, and what it needs is not known")
    assert more.keys() <= all_needed(asked) <= pinned.keys() | more.keys()
