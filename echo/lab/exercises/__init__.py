"""Judges a learner's answer.

May import conformance, record, run, kernel, words, display, zoo.
"""
