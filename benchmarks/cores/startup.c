/* From reset to main: memory, what the core needs, main, exit. */
#include <stdint.h>

#include "core.h"
#include "semihosting.h"

extern uint32_t data_start[], data_end[], data_image[], bss_start[], bss_end[];

int main(void);

void reset(void)
{
    uint32_t *from = data_image;

    for (uint32_t *to = data_start; to < data_end;)
        *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;)
        *to++ = 0;
    prepare_core();
    semihosting_exit(main());
}
