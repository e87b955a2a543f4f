"""Studies of design spaces: networks sampled, trained by whoever has time, and tabled; a folder each."""
