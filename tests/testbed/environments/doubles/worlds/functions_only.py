"""Functions named as those that make worlds, in a module that has nothing to do with PettingZoo."""

from pathlib import Path


def parallel_env(path: str) -> None:
    Path(path).touch()


remove_env = env = parallel_env
