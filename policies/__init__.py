"""Learners, and their parts: joint policies, natural gradients, critics."""
