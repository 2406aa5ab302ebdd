"""Speed and quality beside peers."""
