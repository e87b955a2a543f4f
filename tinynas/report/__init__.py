"""Pictures made from a run folder."""
