"""Starts servers and clients, and ends them.

May import kernel, words, notebook.
"""
