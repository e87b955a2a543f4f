"""Design spaces: what can be searched, and the choice among spaces by the FLOPs distribution."""
