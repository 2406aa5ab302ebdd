"""Assessments of single records and small batches."""
