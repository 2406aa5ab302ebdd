"""Commands of the service, one a file."""
