"""Make the two traces of the study `measured-links`. They are made up, and the same at every run.

Both have a mean delay of 60 ms and a mean loss of 10 %. Rows of `cellular.csv` last a second: every 15 s a
handover of 3 s, with long delays and many losses. Rows of `wifi.csv` last a tenth of a second: most are quick
and lose little, and in every fifth the channel is taken by others.

    python docs/examples/make_traces.py studies/traces
"""

import sys
from pathlib import Path

import numpy as np

DELAY, LOSS = 60.0, 0.1


def trace(seconds: float, bad: np.ndarray, delays: tuple[float, float], losses: tuple[float, float]) -> str:
    """A CSV of one row each ``seconds``; delays in ms and losses of good and bad rows, made to the means."""
    generator = np.random.default_rng(1)
    delay = np.where(bad, delays[1], delays[0]) * np.exp(0.3 * generator.standard_normal(len(bad)))
    loss = np.where(bad, losses[1], losses[0])
    delay, loss = delay * DELAY / delay.mean(), loss * LOSS / loss.mean()
    rows = zip(seconds * np.arange(len(bad)), delay, loss, strict=True)
    return "time,delay_ms,loss\n" + "".join(f"{t:.1f},{d:.2f},{p:.4f}\n" for t, d, p in rows)


TRACES = {
    "cellular.csv": trace(1.0, np.arange(60) % 15 >= 12, (30, 150), (0.01, 0.46)),
    "wifi.csv": trace(0.1, np.random.default_rng(0).random(100) < 0.2, (30, 150), (0.01, 0.46)),
}

for name, text in TRACES.items():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if folder is not None:
        (folder / name).write_text(text, encoding="utf-8")
    table = np.array([line.split(",") for line in text.splitlines()[1:]], dtype=float)
    _, delay, loss = table.mean(axis=0)
    print(f"{name}: {len(table)} rows, mean delay {delay:.1f} ms, mean loss {loss:.1%}")
