"""Puts servers beside each other, and numbers on them.

May import show, conformance, record, run, kernel, words.
"""
