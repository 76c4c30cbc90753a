"""The live engine: one opened project on which plan after plan is tried, and only what a plan changes is computed."""

from .lab import Lab, open_lab

__all__ = ["Lab", "open_lab"]
