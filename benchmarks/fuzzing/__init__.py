"""The parts of benchmarks/fuzz_compiler.py: seeds, mutations, what is demanded of each input, the oracle."""
