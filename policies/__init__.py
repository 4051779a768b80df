"""Learners, and what they are built from: joint policies, natural gradients, critics."""
