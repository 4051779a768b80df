"""The record of what happened on a network, and pictures of it."""
