/* The serial link: frames that survive a bad line, and requests that survive a retry.
 *
 * On the wire a frame is a body between two zero bytes, written so that it holds no zero itself (COBS): whatever was
 * lost or garbled before, the next zero is a new beginning. The body, integers little endian:
 *
 *     offset  bytes
 *     0       1      version of the protocol, TN_LINK_VERSION
 *     1       1      type: the command; in a reply with bit 7 set
 *     2       2      sequence number, the requester's choice; a reply repeats it
 *     4       1      length of the payload, at most TN_LINK_PAYLOAD
 *     5       length the payload; a reply's begins with its status
 *     5+len   4      CRC-32 (zlib's) of all before it
 *
 * The board speaks only when asked, once for each request. A request that comes again, byte for byte and with the
 * same number, is not carried out again: it gets the same reply again. So whoever hears no reply may simply ask once
 * more. Frames that are not sound are dropped without a word.
 *
 * All buffers are static and bounded. MIT licence, see LICENSE of tinynas.
 */
#ifndef TN_LINK_H
#define TN_LINK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TN_LINK_VERSION 1
#define TN_LINK_PAYLOAD 240
#define TN_LINK_REPLY 0x80u

/* The body without and with its payload; on the wire two zeros and COBS's byte more, together fewer than the 256 that
 * hal.h promises to keep while the processor is busy. */
#define TN_LINK_HEAD 5
#define TN_LINK_BODY (TN_LINK_HEAD + TN_LINK_PAYLOAD + 4)
#define TN_LINK_WIRE (TN_LINK_BODY + 3)

typedef enum {
    TN_OK = 0,
    TN_UNKNOWN_COMMAND = 1,
    TN_BAD_REQUEST = 2, /* too short, too long, or a number out of range */
    TN_NOT_READY = 3,   /* an inference without its input, an output without an inference: after a reset, say */
    TN_OTHER_VERSION = 4,
} tn_status;

/* Reads a request's payload. Reading past the end gives zeros and is remembered. */
typedef struct {
    const uint8_t *bytes;
    uint8_t left;
    bool overrun;
} tn_reader;

uint8_t tn_get8(tn_reader *from);
uint16_t tn_get16(tn_reader *from);
uint32_t tn_get32(tn_reader *from);

/* All of it was read and nothing beyond. */
static inline bool tn_read_whole(const tn_reader *from)
{
    return !from->overrun && from->left == 0;
}

/* Writes a reply's payload. The first `skip` bytes, and those for which there is no more room, are counted only: a
 * text longer than a frame is told window by window without ever lying in memory. */
typedef struct {
    uint8_t *bytes;
    uint8_t count, room;
    uint32_t skip, total;
} tn_writer;

void tn_put8(tn_writer *to, uint8_t value);
void tn_put16(tn_writer *to, uint16_t value);
void tn_put32(tn_writer *to, uint32_t value);
void tn_put_bytes(tn_writer *to, const void *bytes, uint32_t count);

typedef struct {
    uint8_t in[TN_LINK_WIRE]; /* what came since the last zero, and then the body in its place */
    uint16_t held;            /* more than `in` holds: too long, wait for the next zero */
    uint8_t out[TN_LINK_WIRE]; /* the last reply as it goes over the wire, for a request that comes again */
    uint16_t out_count;        /* 0: nothing was asked yet */
    uint32_t answered;         /* the CRC and ... */
    uint16_t answered_number;  /* ... the number of the request that `out` answers */
} tn_link;

/* Carries out command `type`: reads `ask`, writes `answer`; what it wrote counts only if it returns TN_OK. */
typedef tn_status tn_command(uint8_t type, tn_reader *ask, tn_writer *answer);

/* Takes the next byte of the line; with the last one of a sound request, has it carried out and answers. */
void tn_link_take(tn_link *link, uint8_t byte, tn_command *command);

/* zlib's crc32 of `count` bytes. */
uint32_t tn_crc32(const uint8_t *bytes, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
