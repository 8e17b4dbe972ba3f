"""Print the packages that pyproject.toml asks for, without their versions.

    python -m pip install -e . $(python tools/newest.py)

installs the newest of each, which need not be the tested ones.  Needs nothing installed.
"""

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def main() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    for extra in project["optional-dependencies"].values():
        for asked in extra:
            print(re.split("[<>=!~ ;]", asked)[0])


if __name__ == "__main__":
    main()
