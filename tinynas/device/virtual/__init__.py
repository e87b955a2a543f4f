"""The virtual board: a process that runs any firmware's ELF as an STM32 would, behind a serial port.

``process`` starts it and is all that the rest of tinynas may import; everything else here runs inside that
process only, because Unicorn, which executes the instructions, is GPL-2.
"""
