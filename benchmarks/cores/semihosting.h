/* Files and exit on the developer's machine, by Arm's semihosting: QEMU and count_instructions.py answer the calls. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdint.h>

enum semihosting_mode { READ_BINARY = 1, WRITE_BINARY = 5 };

/* A handle of the file `name`, -1 where it cannot be opened. */
int semihosting_open(const char *name, enum semihosting_mode mode);

/* How many of `size` bytes were not read: 0 all is well, `size` at the end of the file. */
unsigned semihosting_read(int handle, void *to, unsigned size);

/* How many of `size` bytes were not written. */
unsigned semihosting_write(int handle, const void *from, unsigned size);

/* Ends the emulator with `status`. */
_Noreturn void semihosting_exit(int status);

#endif
