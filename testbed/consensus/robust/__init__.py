"""The rules of robust averaging, one in each module."""
