"""Running moments against the formula, and against what the code of MAPPO's authors gives."""

import numpy as np
import pytest
import torch

from policies.critics.value_normaliser import ValueNormaliser

BATCHES = ([1.0, 2.0, 4.0], [-3.0, 0.5, 10.0], [7.0, 7.5, 8.0])
# (mean, variance, 3 normalised) after each batch, by `ValueNorm(1, beta=beta)` of marlbenchmark/on-policy,
# onpolicy/utils/valuenorm.py at b5c1e75, in its float32 under torch 2.13.0.
AUTHORS = {
    0.99999: [
        (2.3333332538604736, 1.5555553436279297, 0.5345225930213928),
        (2.4166669845581055, 15.86812973022461, 0.14643795788288116),
        (4.111127853393555, 16.376569747924805, -0.27456969022750854),
    ],
    0.9: [
        (2.3333332538604736, 1.555555820465088, 0.534522533416748),
        (2.4210524559020996, 16.62096405029297, 0.14200744032859802),
        (4.29520320892334, 16.5555362701416, -0.31832173466682434),
    ],
}


@pytest.mark.parametrize("beta", AUTHORS)
def test_it_is_the_authors(beta):
    one = ValueNormaliser(beta)
    for batch, (mean, variance, three) in zip(BATCHES, AUTHORS[beta], strict=True):
        one.update(torch.tensor(batch))
        assert one.mean == pytest.approx(mean, rel=1e-5)
        assert one.scale**2 == pytest.approx(variance, rel=1e-5)
        assert float(one.normalise(torch.tensor(3.0))) == pytest.approx(three, rel=1e-5)


def test_moments_are_averages_that_forget():
    generator = np.random.default_rng(0)
    batches = 5 + 3 * generator.standard_normal((30, 8))
    one = ValueNormaliser(0.8)
    for batch in batches:
        one.update(torch.from_numpy(batch))
    weights = 0.8 ** np.arange(30)[::-1]
    mean = np.average(batches.mean(1), weights=weights)
    square = np.average(np.square(batches).mean(1), weights=weights)
    assert one.mean == pytest.approx(mean, rel=1e-12)
    assert one.scale == pytest.approx(np.sqrt(square - mean**2), rel=1e-12)


def test_what_is_normalised_comes_back():
    one, targets = ValueNormaliser(0.99), torch.linspace(-300, -100, 9, dtype=torch.float64)
    assert (one.mean, one.scale) == (0.0, 0.1)  # before anything is known
    one.update(targets)
    normalised = one.normalise(targets)
    assert float(normalised.mean()) == pytest.approx(0, abs=1e-12)
    assert float(normalised.square().mean()) == pytest.approx(1)
    assert torch.allclose(one.denormalise(normalised), targets)


def test_large_returns_that_hardly_differ_keep_their_deviation():
    """In float32 the difference of 1e10 and 1e10 + 1 would be 0, or anything."""
    one = ValueNormaliser(0.99999)
    for _ in range(100):
        one.update(1e5 + torch.tensor([-1.0, 1.0]))
    assert one.scale == pytest.approx(1, rel=1e-3)


def test_it_is_restored_exactly():
    first, second = ValueNormaliser(0.9), ValueNormaliser(0.9)
    first.update(torch.tensor([1.0, 5.0]))
    second.load_state_dict(first.state_dict())
    for each in (first, second):
        each.update(torch.tensor([2.0]))
    assert (first.mean, first.scale) == (second.mean, second.scale)
