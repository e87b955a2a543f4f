"""The board: its firmware built, flashed and asked. A board is whatever answers the protocol."""
