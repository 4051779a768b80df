"""One MATRPO update written out with dense matrices and autograd: nothing of the library's is used.

Everything is float64 and slow: Jacobians by torch.func, Fisher matrices by their definition, systems by
torch.linalg.solve, KL by torch.distributions, edge-ADMM as in Li & He 2020 (arXiv 2010.07916), Algorithm 1.
The choices are those of the settings of the same names; ``DenseAgent.solve`` is the place for more ways to
step, and ``DenseAgent.adopt`` for more ways to adopt.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal, kl_divergence
from torch.nn.functional import selu


@dataclass(frozen=True)
class Choices:
    """What of the settings the update depends on."""

    delta: float = 0.01
    beta: float = 1.0
    step: str = "optimal"
    curvature: str = "fisher"
    fisher: str = "expected"
    damping: float = 0.1
    every: int = 1
    plain_iterations: int | None = None
    """Of conjugate gradients from zero; None: solve exactly."""
    coupling: float | None = None
    initial_dual: float = 0.0
    advantage_mean: str = "per_agent"
    advantage_scale: str = "shared"
    safeguard: bool = True
    radius: str = "joint"
    entropy_coefficient: float = 0.0
    space: str = "Discrete"
    """Or Box: Gaussian policies, whose log standard deviations are the last parameters."""


def logits(theta: Tensor, observations: Tensor, widths: tuple[int, ...], heads: int) -> Tensor:
    """[M, N, A] of a SELU network whose parameters are each layer's weight and then its bias."""
    h, start = observations, 0
    for index, (inp, out) in enumerate(pairwise(widths)):
        weight = theta[start : start + inp * out].reshape(out, inp)
        bias = theta[start + inp * out : start + inp * out + out]
        h, start = h @ weight.T + bias, start + inp * out + out
        if index < len(widths) - 2:
            h = selu(h)
    assert start == len(theta)
    return h.reshape(len(observations), heads, -1)


def advantages_of(
    rewards: Tensor, values: Tensor, following: Tensor, ends: Tensor, gamma: float, lam: float
) -> Tensor:
    """Generalised advantages [T, B, N] as the sum of discounted errors up to the end of each episode."""
    errors, found = rewards + gamma * following - values, torch.zeros_like(rewards)
    for t, b, n in torch.cartesian_prod(*(torch.arange(size) for size in rewards.shape)).tolist():
        for later in range(t, len(rewards)):
            found[t, b, n] += (gamma * lam) ** (later - t) * errors[later, b, n]
            if ends[later, b, n]:
                break
    return found


def normalised(raw: Tensor, choices: Choices) -> Tensor:
    """Advantages [N, M] of raw ones [N, M]."""
    if choices.advantage_mean == "per_agent":
        raw = raw - raw.mean(1, keepdim=True)
    if choices.advantage_mean == "shared":
        raw = raw - raw.mean()
    spread = raw.std(correction=0) if choices.advantage_scale == "shared" else raw.std(1, correction=0)
    return raw / spread.reshape(-1, 1)


class DenseAgent:
    """Agent q: its model of everybody's policy at theta_old, with a dense J and H."""

    def __init__(
        self,
        theta: Tensor,
        observations: Tensor,
        actions: Tensor,
        advantages: Tensor,
        some: Tensor,
        widths: tuple[int, ...],
        choices: Choices,
        own: int,
    ) -> None:
        """``some`` are the indices of the samples that Fisher products are taken over, ``own`` is q."""
        self.theta, self.observations, self.actions = theta, observations, actions
        self.advantages, self.widths, self.choices = advantages, widths, choices
        self.samples, self.heads = actions.shape[:2]
        self.delta = choices.delta * (1 if choices.radius == "joint" else self.heads)
        rows = torch.func.jacrev(self.log_ratios)(theta)  # [M, N, D]
        self.jacobian = rows.flatten(0, 1)
        of_some = rows[some]
        if choices.fisher == "empirical":
            matrix = torch.einsum("mnd,mne->de", of_some, of_some) / len(some)
        else:
            k = torch.func.jacrev(self.outputs)(theta)[some]  # [M', N, A, D]
            if choices.space == "Box":
                _, log_std = self.outputs(theta)[some].chunk(2, dim=-1)
                middle = torch.diag_embed(
                    torch.cat([1 / log_std.exp() ** 2, torch.full_like(log_std, 2)], -1)
                )
            else:
                p = self.outputs(theta)[some].softmax(-1)
                middle = torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)
            matrix = torch.einsum("mnad,mnab,mnbe->de", k, middle, k) / len(some)
        self.plain = matrix
        self.damped = matrix + choices.damping * torch.eye(len(theta), dtype=theta.dtype)
        self.x = torch.zeros_like(theta)
        self.weights = self.advantages.repeat_interleave(self.heads).reshape(self.samples, self.heads)
        if choices.entropy_coefficient:
            # E[-log pi(a) grad log pi(a)] is the gradient of the entropy, as is that with any number added.
            old = self.policy(theta)
            self.weights[:, own] += (
                choices.entropy_coefficient * (-old.log_prob(actions) - old.entropy())[:, own]
            )

    def outputs(self, theta: Tensor) -> Tensor:
        """Logits [M, N, A]; or means and log standard deviations [M, N, 2 K]."""
        if self.choices.space == "Discrete":
            return logits(theta, self.observations, self.widths, self.heads)
        own = self.widths[-1]
        mean = logits(theta[:-own], self.observations, self.widths, self.heads)
        return torch.cat([mean, theta[-own:].reshape(1, self.heads, -1).expand(mean.shape)], dim=-1)

    def policy(self, theta: Tensor) -> Distribution:
        """Of each head's action at each sample."""
        if self.choices.space == "Discrete":
            return Categorical(logits=self.outputs(theta))
        mean, log_std = self.outputs(theta).chunk(2, dim=-1)
        return Independent(Normal(mean, log_std.exp(), validate_args=False), 1, validate_args=False)

    def log_ratios(self, theta: Tensor) -> Tensor:
        """Of theta to theta_old for the actions taken, [M, N]."""
        return self.policy(theta).log_prob(self.actions) - self.policy(self.theta).log_prob(self.actions)

    def divergence(self, theta: Tensor) -> float:
        """Mean over samples of the KL summed over heads."""
        return float(self.divergences(theta).sum())

    def divergences(self, theta: Tensor) -> Tensor:
        """Of each head, [N]."""
        return kl_divergence(self.policy(self.theta), self.policy(theta)).mean(0)

    def inverse(self, v: Tensor) -> Tensor:
        """H^-1 v, or as far as the plain iterations come."""
        if self.choices.plain_iterations is None:
            return torch.linalg.solve(self.damped, v)
        u, r = torch.zeros_like(v), v.clone()
        p = r.clone()
        for _ in range(self.choices.plain_iterations):
            product = self.damped @ p
            length = (r @ r) / (p @ product)
            u, before = u + length * p, r @ r
            r = r - length * product
            p = r + (r @ r) / before * p
        return u

    def solve(self, links: list[tuple[float, Tensor, Tensor]]) -> Tensor:
        """The signal [M * N] for the agent's links, each its sign C, z [M * N] and y [M * N]."""
        chosen = self.choices
        weights = self.weights.flatten()
        for sign, z, y in links:
            weights = weights + sign * (chosen.beta * z - y)
        v = self.jacobian.T @ weights / self.samples
        u = self.inverse(v)
        curved = u @ v if chosen.curvature == "solve" else u @ self.plain @ u
        boundary = math.sqrt(2 * self.delta / float(curved)) * u
        if chosen.step == "optimal":
            inside = u / (chosen.beta * len(links))
            self.x = min(boundary, inside, key=lambda step: float(step.norm()))
        elif chosen.step == "boundary":
            self.x = boundary
        else:
            self.x = self._searched(boundary, links)
            return self.log_ratios(self.theta + self.x).flatten()
        return self.jacobian @ self.x

    def _searched(self, x: Tensor, links: list[tuple[float, Tensor, Tensor]]) -> Tensor:
        before = self.lagrangian(torch.zeros_like(x), links)
        for halvings in range(10):
            step = x * 0.5**halvings
            within = self.divergence(self.theta + step) <= 1.5 * self.delta
            if within and self.lagrangian(step, links) <= before:
                return step
        return torch.zeros_like(x)

    def lagrangian(self, x: Tensor, links: list[tuple[float, Tensor, Tensor]]) -> float:
        """The augmented Lagrangian of the batch at theta_old + x, in z and y."""
        ratios = self.log_ratios(self.theta + x)
        by_sample = -self.advantages * ratios.sum(-1).exp()
        by_sample = by_sample - ((self.weights - self.advantages.unsqueeze(-1)) * ratios).sum(-1)
        for sign, z, y in links:
            gap = (sign * ratios.flatten() - z).reshape(ratios.shape)
            by_sample = by_sample + (y.reshape(ratios.shape) * gap).sum(-1)
            by_sample = by_sample + self.choices.beta / 2 * (gap**2).sum(-1)
        return float(by_sample.mean())

    def apply_steps(self, factor: float = 1.0) -> Tensor:
        """theta_old + x, x halved while its KL is above 1.5 delta/N; or ``factor`` x by what is played."""
        x = factor * self.x
        if self.choices.radius != "joint":
            return self.theta + x
        while self.choices.safeguard and self.divergence(self.theta + x) > 1.5 * self.delta:
            x = x / 2
        return self.theta + x


def edge_admm(agents: list[DenseAgent], order: list[tuple[int, int]], choices: Choices) -> list[Tensor]:
    """The agents' signals after exchanges on the links of ``order``, one after the other."""
    links, m = sorted(set(order)), agents[0].samples * agents[0].heads
    zero = torch.zeros(m, dtype=torch.float64)
    z = {(q, e): zero for e in links for q in e}
    y = {(q, e): zero + choices.initial_dual for e in links for q in e}
    s = [zero for _ in agents]
    for link in order:
        at_ends = []
        for q, sign in zip(link, (1.0, -1.0), strict=True):
            own = [(1.0 if q == e[0] else -1.0, z[q, e], y[q, e]) for e in links if q in e]
            s[q] = agents[q].solve(own)
            at_ends.append(sign * s[q])
        # Minimise over both z at once gamma/2 |z_i + z_j|^2 - y . z + beta/2 |C s - z|^2: a system of two.
        gamma, beta = choices.coupling, choices.beta
        right = torch.stack([y[q, link] + beta * end for q, end in zip(link, at_ends, strict=True)])
        if gamma is None:  # with z_j = -z_i
            first = (right[0] - right[1]) / (2 * beta)
            found = torch.stack([first, -first])
        else:
            matrix = torch.tensor([[beta + gamma, gamma], [gamma, beta + gamma]], dtype=torch.float64)
            found = torch.linalg.solve(matrix, right)
        for q, end, new in zip(link, at_ends, found, strict=True):
            z[q, link], y[q, link] = new, y[q, link] + beta * (end - new)
    return s
