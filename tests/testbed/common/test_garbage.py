"""Imports without the garbage collector."""

import gc

import pytest

from testbed.common.garbage import not_collected


@pytest.mark.parametrize("was_on", [True, False])
def test_it_is_off_inside_and_afterwards_as_before(was_on):
    def fails():
        with not_collected():
            assert not gc.isenabled()
            raise ImportError

    if not was_on:
        gc.disable()
    try:
        with pytest.raises(ImportError):
            fails()
        assert gc.isenabled() == was_on
    finally:
        gc.enable()
