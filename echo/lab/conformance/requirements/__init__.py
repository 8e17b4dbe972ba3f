"""What every echo server must do, from easy to hard: in the order of these files."""

from echo.lab.conformance.requirements import clients, debts, limits

__all__ = ["clients", "debts", "limits"]
