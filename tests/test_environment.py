"""pyproject.toml, constraints.txt and environment.yml speak of the same packages."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_ALL = {"lab", "test"}  # the other extras are installed only when asked for
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINNED = [line for line in LINES if not line.startswith("#")]

INSTALLERS = {"pip", "setuptools"}

# The oldest Python needs most: what newer ones have in their standard library.
OLDEST = {"python_version": "3.11", "python_full_version": "3.11.0"}
LINUX = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}


def asked(extras):
    """{name: requirement} of what these extras ask for."""
    return {one.name: one for extra in extras for one in map(Requirement, EXTRAS[extra])}


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


def all_needed(extras):
    """The names of what these extras ask for, of what that needs, and so on."""
    found, todo = set(), list(asked(extras).values())
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
    assert conda == {name: str(asking.specifier) for name, asking in asked(FOR_ALL).items()}


def test_conda_installs_a_python_that_we_support():
    assert SpecifierSet(PROJECT["requires-python"]).contains(from_conda()["python"])


def test_conda_has_one_channel_and_our_own_package():
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert CONDA["dependencies"][-1] == {"pip": ["-e ."]}


def test_tested_set_is_exact():
    """Names and versions, in order, of all that everybody needs."""
    names = [line.split("==")[0] for line in PINNED]
    assert all(len(line.split("==")) == 2 and "*" not in line for line in PINNED)
    assert names == sorted(set(names))
    assert set(names) >= all_needed(FOR_ALL) | INSTALLERS


def test_tested_set_has_nothing_else():
    """What a package needs is known where it is installed: make site asks this as well."""
    for name in asked(EXTRAS):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed, and what it needs not known")
    assert {line.split("==")[0] for line in PINNED} == all_needed(EXTRAS) | INSTALLERS


def test_tested_set_is_what_is_asked_for():
    pinned = dict(line.split("==") for line in PINNED)
    for name, asking in asked(EXTRAS).items():
        assert asking.specifier.contains(pinned[name]), asking
