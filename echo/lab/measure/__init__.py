"""Puts servers beside each other, and numbers on them.

May import show, record, run, kernel, words.
"""
