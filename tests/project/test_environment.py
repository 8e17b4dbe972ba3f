"""pyproject.toml, constraints.txt and environment.yml speak of the same packages."""

import re
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
FOR_LESSONS = {one.name for one in map(Requirement, EXTRAS["lab"])}  # all that a reader needs
NAMED_BY_CONDA = {"matplotlib": "matplotlib-base"}  # what is called matplotlib there brings Qt
MORE = {  # the others, and where they are pinned: beside that set
    "site": "docs/constraints.txt",
    "hub": ".devcontainer/constraints.txt",
    "bench": "benchmarks/constraints.txt",
    "frameworks": "docs/strangers/constraints.txt",
}
NAME_THE_VERSION = {
    "CITATION.cff": r'(?m)^version: "(.*)"$',
    "README.md": r"note   = \{Jupyter notebooks, version (.*)\}",
    "CHANGELOG.md": r"(?m)^## (.*)$",
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
    """For the lessons, that is: whoever reads them need not install what checks them."""
    conda = {name: f"=={version}.*" for name, version in from_conda().items()}
    del conda["python"], conda["pip"]
    asked = {NAMED_BY_CONDA.get(name, name): str(ASKED[name].specifier) for name in FOR_LESSONS}
    assert conda == asked


@pytest.mark.parametrize("name", ["ruff", "mypy", "pytest-xdist", "check-jsonschema", "playwright"])
def test_readers_are_not_burdened_with_what_checks(name):
    assert name in ASKED
    assert name not in all_needed(ASKED[one] for one in FOR_LESSONS)


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


def test_one_version_wherever_it_is_named():
    """In the package, in what people cite, and as the newest of what has changed."""
    version = PROJECT["version"]
    read = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAME_THE_VERSION}
    found = {name: re.search(NAME_THE_VERSION[name], text)[1] for name, text in read.items()}
    assert found == dict.fromkeys(NAME_THE_VERSION, version)
