"""Tests, in folders: the rooms of the lab, the servers, the lessons, the tools, the project."""
