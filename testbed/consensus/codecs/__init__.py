"""The codecs of consensus messages, one idea in each module."""
