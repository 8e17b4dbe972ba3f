"""The bench judges larger servers, one stage at a time: a chat, and a tiny Redis.

It may import conformance, run, kernel, words and zoo.
"""
