"""Impairments of links: loss, delay, duplication, corruption, reordering."""
