"""What is run by make, by CI and by hand: python -m tools.NAME."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
