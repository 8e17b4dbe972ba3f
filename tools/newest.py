"""Print the packages that `make test` installs by name, without their versions.

    python -m pip install -e . $(python -m tools.newest)

installs the newest of each, which need not be the tested ones.  Needs nothing installed.
"""

import re
import tomllib

from tools import ROOT


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in "lab", "test", "browser":
        for asked in project["optional-dependencies"][extra]:
            print(re.split("[<>=!~ ;]", asked)[0])


if __name__ == "__main__":
    main()
