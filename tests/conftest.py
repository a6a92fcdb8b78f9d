"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A test says what is right, not how long it takes: the machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
