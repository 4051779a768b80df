"""What tests of training have in common."""

import json

import pytest


@pytest.fixture
def without_wall():
    """A function: rows of a curve as text in every digit, without what depends on the machine."""

    def text(rows):
        return json.dumps([{k: v for k, v in row.items() if not k.startswith("wall_")} for row in rows])

    return text


@pytest.fixture
def killed():
    """A function that runs a trial, with ``progress``, until it is killed after so many updates."""

    class Killed(Exception):
        pass

    def until(run, after=1, **options):
        def kill(phase, done, total, row):
            if done >= after:
                raise Killed

        with pytest.raises(Killed):
            run(progress=kill, **options)

    return until
