/* The program: waits for a command on the serial line, carries it out on the compiled model, answers.
 *
 * It knows the chip by hal.h, the line by tn_link.h, the model by model.h and golden.h (both made by tinynas and laid
 * into the library `model`), and nothing else: no framework, no heap, no state but the buffers below.
 *
 *     command  request                               reply after the status
 *     HELLO    offset 2, count 1                     size of the whole 2, a window of `describe`'s text
 *     LOAD     input 1, offset 4, bytes              nothing
 *     INFER    vector 2, runs 1                      cycles of each run, 4 each
 *     OUTPUT   output 1, offset 4, count 1           bytes
 *     PROFILE  vector 2, first operator 2, count 1   cycles of each of these operators, 4 each
 *     MEMORY   nothing                               arena, stack, stack never used, .data, .bss, heap, .text,
 *                                                    .rodata: 4 each
 *     CHECK    vector 2                              output bytes that differ 4, cycles 4
 *     RESET    nothing                               nothing, and starts again
 *
 * `vector` is the number of a golden vector in flash, or LOADED for what LOAD put into the arena. An inference uses
 * its input up; that is why only a golden vector can be run several times.
 *
 * The board's name and the build's come from the compiler's command line: TINYNAS_BOARD and TINYNAS_BUILD, texts.
 */
#include <string.h>

#include "golden.h"
#include "hal.h"
#include "model.h"
#include "tinynas_engine.h"
#include "tn_arithmetic.h"
#include "tn_link.h"

#ifndef TINYNAS_BOARD
#define TINYNAS_BOARD "unknown"
#endif
#ifndef TINYNAS_BUILD
#define TINYNAS_BUILD "unknown"
#endif

#if defined(__clang__)
#define COMPILER __VERSION__
#elif defined(__GNUC__)
#define COMPILER "GCC " __VERSION__
#else
#define COMPILER "unknown"
#endif

enum { HELLO = 1, LOAD, INFER, OUTPUT, PROFILE, MEMORY, CHECK, RESET };

#define LOADED 0xFFFFu
#define MOST_FIGURES ((TN_LINK_PAYLOAD - 1) / 4) /* of 4 bytes in a reply */

static tn_link line;
static bool inferred; /* the outputs are those of an inference */
static bool restart;

/* ---- where things lie */

static uint8_t *input(unsigned index)
{
    return (uint8_t *)model_input(index);
}

static const uint8_t *output(unsigned index)
{
    return (const uint8_t *)model_output(index);
}

/* The linker's ends of .data and .bss under the names most scripts give them; 0 where a script does not. Those of
 * flash, in which .data's first values follow .rodata, are in tinynas's own scripts. */
#define WEAK __attribute__((weak))
extern const char _sdata[] WEAK, _edata[] WEAK, _sbss[] WEAK, _ebss[] WEAK, _end[] WEAK;
extern const char _stext[] WEAK, _srodata[] WEAK, _sidata[] WEAK;
extern void *_sbrk(int bytes) WEAK;

static uint32_t between(const char *first, const char *end)
{
    return first && end ? (uint32_t)((uintptr_t)end - (uintptr_t)first) : 0;
}

/* What malloc took of the system; without an _sbrk there is no heap that could have. */
static uint32_t heap_used(void)
{
    return _sbrk ? between(_end, _sbrk(0)) : 0;
}

/* ---- inference */

/* Puts the input of `vector` in place. False: there is no such vector, or the host has not loaded all of it. */
static tn_status prepare(uint16_t vector)
{
    inferred = false;
    if (vector == LOADED) {
        for (unsigned i = 0; i < golden_model.inputs; i++) {
            if (golden_loaded[i] != golden_inputs[i].bytes) {
                return TN_NOT_READY;
            }
        }
    } else if (vector >= golden_model.vectors) {
        return TN_BAD_REQUEST;
    } else {
        const uint8_t *from = golden_asked + vector * golden_model.input_bytes;
        for (unsigned i = 0; i < golden_model.inputs; i++) {
            memcpy(input(i), from, golden_inputs[i].bytes);
            from += golden_inputs[i].bytes;
        }
    }
    memset(golden_loaded, 0, golden_model.inputs * sizeof *golden_loaded); /* an inference uses its input up */
    return TN_OK;
}

static tn_status infer(tn_reader *ask, tn_writer *answer)
{
    const uint16_t vector = tn_get16(ask);
    const uint8_t runs = tn_get8(ask);
    if (!tn_read_whole(ask) || runs == 0 || runs > MOST_FIGURES || (vector == LOADED && runs > 1)) {
        return TN_BAD_REQUEST;
    }
    for (unsigned i = 0; i < runs; i++) {
        const tn_status status = prepare(vector);
        if (status != TN_OK) {
            return status;
        }
        const uint32_t start = hal_cycles();
        model_invoke();
        tn_put32(answer, hal_cycles() - start);
    }
    inferred = true;
    return TN_OK;
}

/* Walks the network as tn_run does, with a look at the clock before and after each step. */
static void run_profiled(uint32_t *spent, unsigned first, unsigned count)
{
    const tn_network *const network = model_network();
    int8_t *const arena = model_arena();
    uint32_t look = hal_cycles();
    look = hal_cycles() - look; /* what looking takes is not the operator's */
    for (uint32_t i = 0; i < network->step_count; i++) {
        const tn_step step = network->steps[i];
        const tn_op *const op = network->ops + step.op;
        const int way = step.count < 0 ? -1 : 1;
        const uint32_t start = hal_cycles();
        for (int k = 0; k != step.count; k += way) {
            op->run(op, arena, step.first + k);
        }
        const uint32_t taken = hal_cycles() - start;
        if (step.op >= first && step.op < first + count) {
            spent[step.op - first] += taken > look ? taken - look : 0;
        }
    }
}

static unsigned operators(void)
{
    const tn_network *const network = model_network();
    unsigned most = 0;
    for (uint32_t i = 0; i < network->step_count; i++) {
        most = network->steps[i].op >= most ? network->steps[i].op + 1u : most;
    }
    return most;
}

/* All operators run; those asked for are told of. Not inlined: its figures are not to lie on the stack of an inference,
 * whose depth MEMORY tells. */
static __attribute__((noinline)) tn_status profile(tn_reader *ask, tn_writer *answer)
{
    uint32_t spent[MOST_FIGURES] = {0};
    const uint16_t vector = tn_get16(ask);
    const uint16_t first = tn_get16(ask);
    const uint8_t count = tn_get8(ask);
    if (!tn_read_whole(ask) || count > MOST_FIGURES || first + count > operators()) {
        return TN_BAD_REQUEST;
    }
    const tn_status status = prepare(vector);
    if (status != TN_OK) {
        return status;
    }
    run_profiled(spent, first, count);
    for (unsigned i = 0; i < count; i++) {
        tn_put32(answer, spent[i]);
    }
    return TN_OK;
}

static tn_status check(tn_reader *ask, tn_writer *answer)
{
    const uint16_t vector = tn_get16(ask);
    if (!tn_read_whole(ask) || vector >= golden_model.vectors) {
        return TN_BAD_REQUEST;
    }
    prepare(vector);
    const uint32_t start = hal_cycles();
    model_invoke();
    const uint32_t taken = hal_cycles() - start;
    const uint8_t *wanted = golden_answers + vector * golden_model.output_bytes;
    uint32_t wrong = 0;
    for (unsigned i = 0; i < golden_model.outputs; i++) {
        const uint8_t *made = output(i);
        for (uint32_t k = 0; k < golden_outputs[i].bytes; k++) {
            wrong += made[k] != *wanted++;
        }
    }
    tn_put32(answer, wrong);
    tn_put32(answer, taken);
    return TN_OK;
}

/* ---- data in and out */

/* Pieces come in order, so that a gap cannot pass for data; from the first byte on it is a new input. */
static tn_status load(tn_reader *ask)
{
    const uint8_t index = tn_get8(ask);
    const uint32_t offset = tn_get32(ask);
    if (ask->overrun || index >= golden_model.inputs || offset > golden_inputs[index].bytes ||
        ask->left > golden_inputs[index].bytes - offset) {
        return TN_BAD_REQUEST;
    }
    if (offset > golden_loaded[index]) {
        return TN_NOT_READY;
    }
    inferred = false;
    memcpy(input(index) + offset, ask->bytes, ask->left);
    golden_loaded[index] = offset + ask->left;
    return TN_OK;
}

static tn_status tell_output(tn_reader *ask, tn_writer *answer)
{
    const uint8_t index = tn_get8(ask);
    const uint32_t offset = tn_get32(ask);
    const uint8_t count = tn_get8(ask);
    if (!tn_read_whole(ask) || index >= golden_model.outputs || count > answer->room ||
        offset > golden_outputs[index].bytes || count > golden_outputs[index].bytes - offset) {
        return TN_BAD_REQUEST;
    }
    if (!inferred) {
        return TN_NOT_READY;
    }
    tn_put_bytes(answer, output(index) + offset, count);
    return TN_OK;
}

/* ---- what the board tells of itself */

static void put_text(tn_writer *to, const char *text)
{
    tn_put_bytes(to, text, (uint32_t)strlen(text) + 1);
}

static void put_ends(tn_writer *to, const golden_end *ends, unsigned count)
{
    tn_put8(to, (uint8_t)count);
    for (unsigned i = 0; i < count; i++) {
        uint32_t scale;
        memcpy(&scale, &ends[i].scale, sizeof scale);
        tn_put32(to, ends[i].rows);
        tn_put32(to, ends[i].columns);
        tn_put32(to, ends[i].channels);
        tn_put8(to, ends[i].element);
        tn_put32(to, scale);
        tn_put32(to, (uint32_t)ends[i].zero_point);
    }
}

static void describe(tn_writer *to)
{
    tn_put32(to, hal_clock_hz());
    tn_put8(to, (uint8_t)hal_caches());
    tn_put8(to, TN_DSP);
    tn_put32(to, golden_model.arena_bytes);
    tn_put16(to, (uint16_t)operators());
    tn_put16(to, golden_model.vectors);
    tn_put_bytes(to, golden_hash, sizeof golden_hash);
    put_ends(to, golden_inputs, golden_model.inputs);
    put_ends(to, golden_outputs, golden_model.outputs);
    put_text(to, TINYNAS_BOARD);
    put_text(to, TINYNAS_BUILD);
    put_text(to, COMPILER);
    put_text(to, golden_name);
    put_text(to, golden_goal);
}

static tn_status hello(tn_reader *ask, tn_writer *answer)
{
    const uint16_t offset = tn_get16(ask);
    const uint8_t count = tn_get8(ask);
    if (!tn_read_whole(ask) || count > answer->room - 2) {
        return TN_BAD_REQUEST;
    }
    tn_writer window = {.bytes = answer->bytes + 2, .room = count, .skip = offset};
    describe(&window);
    tn_put16(answer, (uint16_t)window.total);
    answer->count = (uint8_t)(answer->count + window.count);
    return TN_OK;
}

static tn_status memory(tn_writer *answer)
{
    tn_put32(answer, golden_model.arena_bytes);
    tn_put32(answer, hal_stack_size());
    tn_put32(answer, hal_stack_unused());
    tn_put32(answer, between(_sdata, _edata));
    tn_put32(answer, between(_sbss, _ebss));
    tn_put32(answer, heap_used());
    tn_put32(answer, between(_stext, _srodata));
    tn_put32(answer, _stext ? between(_srodata, _sidata) : 0);
    return TN_OK;
}

/* ---- the program */

static tn_status command(uint8_t type, tn_reader *ask, tn_writer *answer)
{
    switch (type) {
    case HELLO:
        return hello(ask, answer);
    case LOAD:
        return load(ask);
    case INFER:
        return infer(ask, answer);
    case OUTPUT:
        return tell_output(ask, answer);
    case PROFILE:
        return profile(ask, answer);
    case MEMORY:
        return tn_read_whole(ask) ? memory(answer) : TN_BAD_REQUEST;
    case CHECK:
        return check(ask, answer);
    case RESET:
        restart = tn_read_whole(ask);
        return restart ? TN_OK : TN_BAD_REQUEST;
    default:
        return TN_UNKNOWN_COMMAND;
    }
}

/* The two halves of main, for frameworks with a main of their own. */
void firmware_start(void);
void firmware_poll(void);

void firmware_start(void)
{
    hal_start();
}

void firmware_poll(void)
{
    const int byte = hal_read();
    if (byte >= 0) {
        tn_link_take(&line, (uint8_t)byte, command);
    }
    if (restart) {
        hal_reset();
    }
}

#ifndef ARDUINO
int main(void)
{
    firmware_start();
    for (;;) {
        firmware_poll();
        hal_idle();
    }
}
#endif
