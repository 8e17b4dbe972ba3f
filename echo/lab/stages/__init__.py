"""The bench judges larger servers, one stage at a time: a chat, and a tiny Redis.

May import conformance, run, kernel, words, display, zoo.
"""
