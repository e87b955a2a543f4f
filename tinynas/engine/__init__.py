"""The engine: a Graph with weights becomes a plan, packed constants and C."""
