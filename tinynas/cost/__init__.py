"""What a Graph costs: MACs, weights, SRAM and flash per runtime."""
