"""The page of a run: what its folder tells, as data, as pictures, and as one HTML file."""
