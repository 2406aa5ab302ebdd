"""Decisions on items and the review workflow."""
