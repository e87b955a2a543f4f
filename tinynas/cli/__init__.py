"""The command line: words and progress bars, no logic."""
