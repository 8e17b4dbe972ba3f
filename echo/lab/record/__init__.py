"""Writes down what a server's threads do.

May import run, kernel, words.
"""
