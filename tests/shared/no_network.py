"""The communication of agents without a network, for tests of learners alone."""

from policies.algorithms.trust_region import solve_independently


class Nobody:
    """Problems are solved independently, averages are one's own vectors; charges are kept."""

    def agree(self, problems):
        return solve_independently(problems)

    def average(self, vectors):
        return vectors, {}

    def centralise(self, to_centre, from_centre):
        self.charged = list(to_centre), list(from_centre)
        return {}
