"""What all figures of this room agree on."""

from __future__ import annotations

CONFIDENCE = 0.95
DECIMALS = 12
"""Of differences: what lies beyond is rounding, which would pass for a spread between seeds."""
