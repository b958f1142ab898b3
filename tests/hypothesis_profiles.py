"""How hard random tests try: "default" in seconds, "long" (HYPOTHESIS_PROFILE=long) in minutes.

Import this before any test with @given or a state machine. A failure prints the seed to repeat it with.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")

set_hypothesis_home_dir(Path(__file__).parent.parent / "var" / "hypothesis")
_COMMON = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", _COMMON, max_examples=100, stateful_step_count=40)
settings.register_profile("long", _COMMON, max_examples=1_500, stateful_step_count=100)
settings.load_profile(PROFILE)
