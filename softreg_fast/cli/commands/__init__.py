"""The commands: each says its arguments, and imports what is slow to import when it runs."""
