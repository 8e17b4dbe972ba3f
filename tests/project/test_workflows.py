"""What GitHub Actions is told is valid, is what this project is, and can be trusted.

It runs elsewhere: nothing but this would say before a push that a step names a file that is gone.
"""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml
from click.testing import CliRunner

from tests.paths import ROOT

EXAMPLE = ROOT / "docs/ci-example.yml"
WORKFLOWS = [*sorted(ROOT.glob(".github/workflows/*.yml")), EXAMPLE]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    line.rpartition(" ")[2]
    for line in PROJECT["classifiers"]
    if line.startswith("Programming Language :: Python :: 3.")
]
# What actions/deploy-pages needs, and the job that publishes may do nothing else.
PUBLISHES = {"pages": "write", "id-token": "write"}
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def text_of(path):
    return path.read_text(encoding="utf-8")


def jobs(text):
    return yaml.safe_load(text)["jobs"].values()


def steps(text):
    return [step for job in jobs(text) for step in job["steps"]]


def uses(text):
    return re.findall(r"\buses: (.*)", text)


def complaints(text):
    """What is wrong with a workflow, apart from what the schema says."""
    if yaml.safe_load(text).get("permissions") != {"contents": "read"}:
        yield "it may more than read"
    for job in jobs(text):
        deploys = [step.get("uses", "").split("@")[0] for step in job["steps"]]
        publishes = deploys == ["actions/deploy-pages"] and job.get("permissions") == PUBLISHES
        if "permissions" in job and not publishes:
            yield "a job has permissions of its own"
        if job["runs-on"] != "ubuntu-latest":
            yield f"{job['runs-on']} is not the Linux that the others run on"
        if "timeout-minutes" not in job:
            yield "a job that hangs is not ended"
    for action in uses(text):
        if not PINNED.fullmatch(action):
            yield f"{action} may change: name its commit, and its version in a comment"
    for step in steps(text):
        options = step.get("with", {})
        if "checkout@" in step.get("uses", "") and options.get("persist-credentials") is not False:
            yield "the checkout leaves a token for all that follows"
        for line in step.get("run", "").splitlines():
            yield from wrong_with(line)


def wrong_with(command):
    """What a line for the shell names and this repository has not."""
    for inner in re.findall(r"\$\((.*?)\)", command):
        yield from wrong_with(inner)
    words = shlex.split(re.sub(r"\$\(.*?\)", "", command))
    if words[0] == "make":
        for target in words[1:]:
            if not re.search(rf"^{target}:", text_of(ROOT / "Makefile"), re.MULTILINE):
                yield f"make has no {target}"
    elif words[0] in ("python", ".venv/bin/python"):
        if words[1] == "-m" and not importlib.util.find_spec(words[2]):
            yield f"there is no module {words[2]}"
    elif not os.access(ROOT / words[0], os.X_OK):
        yield f"{words[0]} cannot be run"
    for word in words[1:]:
        name, _, test = word.partition("::")
        if name in ("tests", "notebooks") or name.endswith((".py", ".txt", ".ipynb")):
            found = list(ROOT.glob(name))
            if not found or (test and f"def {test}(" not in text_of(found[0])):
                yield f"there is no {word}"


def schema_says(name, *paths):
    """GitHub's own description of such a file, as check-jsonschema brings it along.

    It is imported once, and only by the worker that has this test: that takes three seconds.
    """
    from check_jsonschema import main as check_jsonschema

    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", f"vendor.{name}", *paths])
    return done.exit_code, done.output


def test_schema_accepts_what_github_reads(tmp_path):
    """And refuses a fault: otherwise it would not have been asked."""
    code, said = schema_says("github-workflows", *map(str, WORKFLOWS))
    assert code == 0, said
    code, said = schema_says("dependabot", str(ROOT / ".github/dependabot.yml"))
    assert code == 0, said
    path = tmp_path / "ci.yml"
    path.write_text(text_of(EXAMPLE).replace("runs-on:", "run-on:"), encoding="utf-8")
    code, said = schema_says("github-workflows", str(path))
    assert code == 1
    assert "'runs-on' is a required property" in said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_to_complain_of(path):
    """Read-only, pinned, bounded, and every command names what is there."""
    assert not list(complaints(text_of(path)))


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("contents: read", "contents: write", "may more than read"),
        ("    timeout-minutes", "    permissions: write-all\n    timeout-minutes", "of its own"),
        ("ubuntu-latest", "macos-latest", "macos-latest is not the Linux"),
        ("    timeout-minutes: 15\n", "", "is not ended"),
        (" # v6.0.2", "", "may change"),
        (r"checkout@\w+", "checkout@v6", "may change"),
        ("persist-credentials: false", "fetch-depth: 1", "a token"),
        ("pytest --nbval notebooks", "pytset", "no module pytset"),
        ("pytest --nbval notebooks", "pytest tests/gone.py", "no tests/gone.py"),
        (
            "notebooks",
            "tests/tools/test_make.py::test_gone",
            "no tests/tools/test_make.py::test_gone",
        ),
        ("-c constraints.txt", "-c pinned.txt", "no pinned.txt"),
        ("python -m pytest --nbval notebooks", "make tset", "no tset"),
        ("python -m pytest --nbval notebooks", "tools/setup.py", "cannot be run"),
        ("-e '.*'", "$(python -m tools.gone)", "no module tools.gone"),
    ],
)
def test_faults_are_complained_of(good, bad, complaint):
    """Each of them once, in the example."""
    text, count = re.subn(good, lambda _: bad, text_of(EXAMPLE), count=1)
    assert count == 1
    assert complaint in " ".join(complaints(text))


def test_one_version_of_each_action():
    actions = {action for path in WORKFLOWS for action in uses(text_of(path))}
    assert len(actions) == len({action.partition("@")[0] for action in actions})


def test_pythons_are_those_that_we_support():
    """All that are named, from the oldest that pip would take, without a gap."""
    first = int(PROJECT["requires-python"].removeprefix(">=3."))
    assert [f"3.{first + more}" for more in range(len(PYTHONS))] == PYTHONS
    (matrix,) = [
        job["strategy"]["matrix"]["python"]
        for job in jobs(text_of(ROOT / ".github/workflows/ci.yml"))
        if "strategy" in job
    ]
    assert matrix == PYTHONS
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in text_of(ROOT / "README.md")
    named = {
        step["with"]["python-version"]
        for path in WORKFLOWS
        for step in steps(text_of(path))
        if "setup-python@" in step.get("uses", "")
    }
    assert named <= {*PYTHONS, "${{ matrix.python }}"}
    conda = yaml.safe_load(text_of(ROOT / "environment.yml"))
    assert conda["dependencies"][0].removeprefix("python=") in PYTHONS


def test_conda_environment_is_the_one_that_is_activated():
    """In another one the steps would run without the packages."""
    name = yaml.safe_load(text_of(ROOT / "environment.yml"))["name"]
    options = [step.get("with", {}) for path in WORKFLOWS for step in steps(text_of(path))]
    asked = [each for each in options if "environment-file" in each]
    assert asked
    assert all(each["activate-environment"] == name for each in asked)
    assert all(each["environment-file"] == "environment.yml" for each in asked)


def test_example_runs_what_the_readme_says():
    """Whoever has another CI copies from there."""
    commands = "\n".join(step["run"] for step in steps(text_of(EXAMPLE)) if "run" in step)
    assert f"\n```\n{commands}\n```\n" in text_of(ROOT / "README.md")


def test_newest_versions_are_those_of_the_same_packages():
    done = subprocess.run(
        [sys.executable, "-m", "tools.newest"], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    extras = PROJECT["optional-dependencies"]
    asked = [line for name in ("lab", "test", "browser") for line in extras[name]]
    assert done.stdout.split() == [re.split("[<>=!~ ]", line)[0] for line in asked]
