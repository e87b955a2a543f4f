/* The rows of a feature map that a window sees, and how it steps through a ring of them. */
#ifndef TN_WINDOW_H
#define TN_WINDOW_H

#include "tinynas_engine.h"

/* Of the kernel's rows `above` lie over the map's first row, the next `inside` in it, the rest under its last. */
typedef struct {
    const int8_t *first; /* the first row inside */
    const int8_t *start; /* the ring's first slot */
    const int8_t *end;   /* one behind its last */
    uint32_t row_bytes;
    uint16_t above, inside;
} tn_window;

/* The window of `kernel` rows whose first is row `y` of the map, which may be outside. */
static inline tn_window tn_window_at(const tn_map *map, int8_t *arena, int32_t y, uint32_t kernel)
{
    tn_window window;
    const int32_t rows = map->rows;
    const int32_t below = y + (int32_t)kernel;
    const int32_t from = y > 0 ? y : 0;
    const int32_t to = below < rows ? below : rows;
    const int32_t above = from - y;
    window.row_bytes = map->columns * map->channels * map->size;
    window.start = arena + map->offset;
    window.end = window.start + map->slots * window.row_bytes;
    window.inside = (uint16_t)(to > from ? to - from : 0);
    window.above = (uint16_t)(window.inside ? (uint32_t)above : kernel);
    window.first = window.inside ? tn_row(map, arena, (uint32_t)from) : window.start;
    return window;
}

/* The row after `row`, round the ring's end. */
static inline const int8_t *tn_next_row(const tn_window *window, const int8_t *row)
{
    row += window->row_bytes;
    return row == window->end ? window->start : row;
}

#endif
