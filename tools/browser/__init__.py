"""Lessons in a real JupyterLab in a real browser: python -m tools.browser."""
