"""What a cell displays, in words and as a picture.

May import record, kernel, words, display.
"""
