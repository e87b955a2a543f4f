"""What a core waits for a line of the cache in front of serial flash: arithmetic on the flash's protocol.

A read begins with clocks in which nothing comes (command, address, mode bits, dummies, selecting the chip
and the way through the cache), then bytes come at a steady rate. The core goes on when the word that it asked
for has come; a second read can only follow when the first is whole. Most of what the cache lacks are the
weights of tn_pixel_pairs, which goes through those of two channels side by side: one line is waited for to
its first word, the other, asked for at once, to its end; while the two are worked on nothing is asked for.
tn_pixel has four channels side by side, of which three are waited for to their ends.
"""

from __future__ import annotations

from dataclasses import dataclass

_WORD_BYTES = 4
#: relative, of what selecting the chip and the cache take beside the protocol: 5 to 10 clocks, where measured
_UNTOLD = 0.1


@dataclass(frozen=True, slots=True)
class SerialFlash:
    """Serial flash behind a cache with lines of `line_bytes`, each of which takes reads of `read_bytes`.

    `silent` clocks of the flash pass before the first byte, of which each then takes `byte`; a clock of the
    flash is `core_cycles` of the core.
    """

    line_bytes: int
    read_bytes: int
    silent: int
    byte: int
    core_cycles: int

    @property
    def first_word(self) -> int:
        """Cycles of the core until the first four bytes of a read are there."""
        return self.core_cycles * (self.silent + self.byte * _WORD_BYTES)

    @property
    def whole(self) -> int:
        """Cycles of the core until a read is."""
        return self.core_cycles * (self.silent + self.byte * self.read_bytes)

    @property
    def wait(self) -> float:
        """Cycles of the core that a line costs, where two are read side by side."""
        return self._side_by_side(2)

    @property
    def spread(self) -> float:
        """How far that may be off, relative: for four lines side by side, and what no protocol tells."""
        return self._side_by_side(4) / self.wait - 1 + _UNTOLD

    def _side_by_side(self, lines: int) -> float:
        reads = self.line_bytes / self.read_bytes
        return reads * (self.first_word + (lines - 1) * self.whole) / lines


#: RP2040: 16 kB in lines of 8 bytes (datasheet, 2.6.3), of which either half is read by itself (pico-sdk
#: issue 1182). ArduinoCore-mbed's second boot stage (mbed-os,
#: TARGET_RASPBERRY_PI_PICO/bs2_default_padded_checksummed.S, disassembled) is pico-sdk's boot2_w25q080 with
#: PICO_FLASH_SPI_CLKDIV 2: BAUDR 2, SPI_CTRLR0 0xa0002022. So quad reads without a command: 8 clocks of
#: address and mode bits, 4 dummies, 2 a byte, each two cycles of the core. 8 clocks more make the 111
#: cycles a line that 19 layers of CMSIS-NN took beyond the table of cycles (raspberrypi/pico-tflmicro,
#: benchmark_results.txt); with 5 it would be the 400 ns of a word that oberon-rtk.org has measured at 125
#: MHz
RP2040 = SerialFlash(line_bytes=8, read_bytes=4, silent=8 + 4 + 8, byte=2, core_cycles=2)

#: ESP32-S3 at 240 MHz with flash of 80 MHz: three cycles a clock, lines of 32 bytes. boards/esp32s3.json says
#: DIO, so PlatformIO takes the boot loader for DIO (platform-espressif32, builder/main.py,
#: _get_board_boot_mode): command 0xBB of 8 clocks on one line, 24 bits of address and 8 of mode on two, 4
#: clocks a byte. What comes on top was measured on an ESP32-S3 rev 0.2 in QIO (8 + 6 + 6 clocks, and 2 a
#: byte; github.com/aliceisjustplaying/esp32sim, adopted timing numbers): 266 cycles a line of 32 bytes and
#: 473 of 64 where lines follow each other, 5 and 10 clocks
ESP32_S3 = SerialFlash(line_bytes=32, read_bytes=32, silent=8 + 12 + 4 + 7, byte=4, core_cycles=3)
