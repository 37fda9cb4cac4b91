"""The command ``softreg-fast``."""
