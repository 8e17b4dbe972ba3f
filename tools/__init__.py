"""What is run by hand, by make or in CI: python -m tools.NAME."""
