/* What the two halves of the Winograd kernel share: winograd.c, which begins with the drawing, and winograd_values.c. */
#ifndef TN_WINOGRAD_H
#define TN_WINOGRAD_H

#include "tn_blocks.h"

/* Values of a tile along a row and down its columns; outputs of one; tiles and output channels at a time. */
enum {
    TN_ALONG = 6,
    TN_DOWN = 4,
    TN_TILE = 4,
    TN_TILE_ROWS = 2,
    TN_TILES = 2,
    TN_FOUR = 4,
    TN_SUMS = TN_TILES * TN_FOUR
};

/* The values of the two tiles whose outputs begin at `column`; the columns of one with padding go by way of `padded`. In
 * winograd_values.c. */
void tn_transform_tiles(const tn_patch *patch, uint32_t column, int8_t *padded, uint32_t *values);

#endif
