"""Settings for every test."""

from hypothesis import settings

# No deadline: a busy machine is no failure. Derandomized: the test command gives the same answer every time.
settings.register_profile("yochi", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=3_000)  # --hypothesis-profile=search
settings.load_profile("yochi")
