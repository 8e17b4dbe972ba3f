"""Where things are: the folder of the project, and its lessons in their order."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted(ROOT.glob("notebooks/*.ipynb"))
