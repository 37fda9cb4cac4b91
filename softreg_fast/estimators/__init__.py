"""The classes that users fit."""
