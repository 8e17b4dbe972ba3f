"""Asks the kernel about threads, sockets and processes, and changes nothing.

May import words.
"""
