"""Emitted models on bare cores: built by gcc, run by QEMU, counted under Unicorn."""
