"""Emitted models on a bare Armv7E-M: built by gcc, run by QEMU, counted under Unicorn."""
