"""What all tests share."""

import numpy as np
import pytest


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Features of the tests' data go to a cache of their own, not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def rng():
    """A fresh random generator, the same in every test."""
    return np.random.default_rng(0)


def pytest_make_parametrize_id(config, val, argname):
    """Name a parameter by its own name where it has one: tables of cases become readable ids."""
    name = getattr(val, "name", None)
    return name if isinstance(name, str) else None
