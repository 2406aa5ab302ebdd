"""Accounts, API keys, sessions, and who may do what."""
