"""Engines: from folded text to calibrated probabilities."""
