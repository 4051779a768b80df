"""The heads by the action space that they act in."""

from policies.nn.categorical import CategoricalHead
from policies.nn.gaussian import GaussianHead
from policies.nn.head import Head
from policies.nn.multi_categorical import MultiCategoricalHead

HEADS: dict[str, type[Head]] = {
    head.space: head for head in (CategoricalHead, MultiCategoricalHead, GaussianHead)
}
"""Kinds of heads by the name of their space in Gymnasium."""

SPACES = tuple(HEADS)
"""The action spaces that there are heads for."""
