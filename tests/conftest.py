"""What every test module shares: Hypothesis profiles."""

from tests import hypothesis_profiles  # noqa: F401
