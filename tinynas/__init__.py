"""tinynas: from a microcontroller board and a memory budget to an int8 network that provably fits it."""

__version__ = "0.1.0"
