/* The tinynas engine: runs one int8 network row by row, in one static arena.
 *
 * A compiled network is data: feature maps, operators and a schedule of steps. A step makes one row (or a
 * few) of one operator's output from the rows of its inputs that its window needs. Which row is made when,
 * and where it lies, was decided and proven on the developer's machine; here nothing is allocated, nothing
 * is decided, nothing is kept between two inferences. Every output byte equals TensorFlow Lite's reference
 * kernels.
 *
 * MIT licence, see LICENSE of tinynas.
 */
#ifndef TINYNAS_ENGINE_H
#define TINYNAS_ENGINE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A feature map: rows of `columns` x `channels` elements of `size` bytes, channels innermost. Of a streamed
 * map only `slots` rows exist at a time: row y lies in slot y % slots. Of a whole one slots == rows, so that
 * it lies in memory as TensorFlow's NHWC tensor does. */
typedef struct {
    uint32_t offset; /* of slot 0 from the arena's start, bytes */
    uint16_t slots;
    uint16_t rows;
    uint32_t columns;
    uint32_t channels;
    uint8_t size; /* 1: int8, 4: float */
} tn_map;

typedef struct tn_op tn_op;

/* Makes step `step` of `op`. For most operators a step is a row of the output, for tn_convolve_winograd two;
 * tn_mean takes one row of its input a step and writes its output in the last. */
typedef void tn_kernel(const tn_op *op, int8_t *arena, int step);

struct tn_op {
    tn_kernel *run;
    const void *parameters;      /* the kernel's own, see tinynas_kernels.h */
    const tn_map *const *inputs; /* feature maps only, in the operator's order */
    const tn_map *output;
    uint32_t scratch; /* the kernel's working memory, from the arena's start, bytes; 4-byte aligned */
};

/* `count` consecutive steps of operator `op`, from step `first` on; a negative count runs down: -3 from 8
 * on is 8, 7, 6. (Maps are used up from their top or from their bottom, whichever saves memory.) */
typedef struct {
    uint8_t op;
    int8_t count;
    uint16_t first;
} tn_step;

typedef struct tn_network {
    const tn_op *ops;
    const tn_step *steps;
    uint32_t step_count;
} tn_network;

/* Runs the whole schedule. `arena` is 4-byte aligned and holds the inputs; it ends up holding the outputs. */
void tn_run(const tn_network *network, int8_t *arena);

/* Row `row` of `map`. */
static inline int8_t *tn_row(const tn_map *map, int8_t *arena, unsigned row)
{
    unsigned slot = map->slots == map->rows ? row : row % map->slots;
    return arena + map->offset + slot * map->columns * map->channels * map->size;
}

#ifdef __cplusplus
}
#endif

#endif
