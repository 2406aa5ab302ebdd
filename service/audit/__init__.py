"""The append-only chain of events."""
