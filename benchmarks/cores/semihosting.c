#include "semihosting.h"

#include "core.h"

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { APPLICATION_EXIT = 0x20026 };

int semihosting_open(const char *name, enum semihosting_mode mode)
{
    unsigned length = 0;

    while (name[length])
        length++;
    return environment_call(SYS_OPEN, (uintptr_t[]){(uintptr_t)name, mode, length});
}

unsigned semihosting_read(int handle, void *to, unsigned size)
{
    return (unsigned)environment_call(SYS_READ, (uintptr_t[]){(uintptr_t)handle, (uintptr_t)to, size});
}

unsigned semihosting_write(int handle, const void *from, unsigned size)
{
    return (unsigned)environment_call(SYS_WRITE, (uintptr_t[]){(uintptr_t)handle, (uintptr_t)from, size});
}

void semihosting_exit(int status)
{
    environment_call(SYS_EXIT_EXTENDED, (uintptr_t[]){APPLICATION_EXIT, (uintptr_t)status});
    for (;;)
        ;
}
