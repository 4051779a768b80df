"""Consensus by one-way messages: averaging and relaxed ADMM."""
