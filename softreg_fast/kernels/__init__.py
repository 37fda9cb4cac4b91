"""All compiled code, and only compiled code."""
