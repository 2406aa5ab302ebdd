"""Catalogs of items, and the workers that assess them."""
