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

/* A step's working memory. */
typedef struct {
    uint32_t *values;
    int32_t *sums;
    int8_t *columns; /* of a tile with padding */
} tn_winograd;

/* The values of the two tiles whose outputs begin at `column`. In winograd_values.c. */
void tn_transform_tiles(const tn_patch *patch, uint32_t column, const tn_winograd *working);

#endif
