/* See tn_link.h for the format and what it promises. */
#include "tn_link.h"

#include "hal.h"

/* ---- integers, little endian whatever the processor is */

uint8_t tn_get8(tn_reader *from)
{
    if (from->left == 0) {
        from->overrun = true;
        return 0;
    }
    from->left--;
    return *from->bytes++;
}

uint16_t tn_get16(tn_reader *from)
{
    uint16_t low = tn_get8(from);
    return (uint16_t)(low | tn_get8(from) << 8);
}

uint32_t tn_get32(tn_reader *from)
{
    uint32_t low = tn_get16(from);
    return low | (uint32_t)tn_get16(from) << 16;
}

void tn_put8(tn_writer *to, uint8_t value)
{
    to->total++;
    if (to->skip > 0) {
        to->skip--;
    } else if (to->count < to->room) {
        to->bytes[to->count++] = value;
    }
}

void tn_put16(tn_writer *to, uint16_t value)
{
    tn_put8(to, (uint8_t)value);
    tn_put8(to, (uint8_t)(value >> 8));
}

void tn_put32(tn_writer *to, uint32_t value)
{
    tn_put16(to, (uint16_t)value);
    tn_put16(to, (uint16_t)(value >> 16));
}

void tn_put_bytes(tn_writer *to, const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;
    for (uint32_t i = 0; i < count; i++) {
        tn_put8(to, from[i]);
    }
}

/* ---- CRC-32: polynomial 0xEDB88320 reflected, four bits at a time; 64 bytes of table instead of 1024 */

uint32_t tn_crc32(const uint8_t *bytes, uint32_t count)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        crc = table[crc & 15] ^ crc >> 4;
        crc = table[crc & 15] ^ crc >> 4;
    }
    return ~crc;
}

/* ---- COBS. A body is shorter than 255 bytes, so that a run never needs to be broken: each zero becomes the distance
 * to the next one, the first distance stands in front of the body, and the last leads to its end. */

/* Encodes bytes[1..count] in place; bytes[0] becomes the first distance. */
static void cobs_encode(uint8_t *bytes, uint16_t count)
{
    uint16_t mark = 0;
    for (uint16_t i = 1; i <= count; i++) {
        if (bytes[i] == 0) {
            bytes[mark] = (uint8_t)(i - mark);
            mark = i;
        }
    }
    bytes[mark] = (uint8_t)(count + 1 - mark);
}

/* The inverse, of `count` bytes that hold no zero: the body lies in bytes[1..count - 1]. False: they are no frame. */
static bool cobs_decode(uint8_t *bytes, uint16_t count)
{
    uint16_t mark = 0;
    while (mark < count) {
        uint8_t distance = bytes[mark];
        bytes[mark] = 0;
        mark = (uint16_t)(mark + distance);
    }
    return mark == count;
}

/* ---- frames */

/* Puts head and CRC around the `count` bytes of payload that lie in link->out already, and encodes. */
static void seal(tn_link *link, uint8_t type, uint16_t number, uint8_t count)
{
    uint8_t *body = link->out + 2;
    tn_writer head = {.bytes = body, .room = TN_LINK_HEAD};
    tn_put8(&head, TN_LINK_VERSION);
    tn_put8(&head, type | TN_LINK_REPLY);
    tn_put16(&head, number);
    tn_put8(&head, count);
    tn_writer tail = {.bytes = body + TN_LINK_HEAD + count, .room = 4};
    tn_put32(&tail, tn_crc32(body, TN_LINK_HEAD + (uint32_t)count));
    const uint16_t size = (uint16_t)(TN_LINK_HEAD + count + 4);
    link->out[0] = 0;
    cobs_encode(link->out + 1, size);
    link->out[size + 2] = 0;
    link->out_count = (uint16_t)(size + 3);
}

static void answer(tn_link *link, const uint8_t *body, uint8_t length, tn_command *command)
{
    tn_reader head = {.bytes = body, .left = TN_LINK_HEAD};
    const uint8_t version = tn_get8(&head);
    const uint8_t type = tn_get8(&head);
    const uint16_t number = tn_get16(&head);
    tn_reader ask = {.bytes = body + TN_LINK_HEAD, .left = length};
    uint8_t *payload = link->out + 2 + TN_LINK_HEAD;
    tn_writer reply = {.bytes = payload + 1, .room = TN_LINK_PAYLOAD - 1};
    const tn_status status = version == TN_LINK_VERSION ? command(type, &ask, &reply) : TN_OTHER_VERSION;
    payload[0] = (uint8_t)status;
    seal(link, type, number, status == TN_OK ? (uint8_t)(reply.count + 1) : 1);
    link->answered_number = number;
}

/* A zero came: is what lies before it a request? */
static void end_of_frame(tn_link *link, tn_command *command)
{
    const uint16_t least = 1 + TN_LINK_HEAD + 4;
    if (link->held < least || link->held > 1 + TN_LINK_BODY || !cobs_decode(link->in, link->held)) {
        return;
    }
    const uint8_t *body = link->in + 1;
    const uint16_t size = (uint16_t)(link->held - 1 - 4);
    tn_reader tail = {.bytes = body + size, .left = 4};
    const uint32_t crc = tn_get32(&tail);
    if (crc != tn_crc32(body, size) || body[1] & TN_LINK_REPLY) {
        return;
    }
    /* another version may mean its length otherwise, and is to hear that it is another */
    const uint8_t length = (uint8_t)(size - TN_LINK_HEAD);
    if (body[0] == TN_LINK_VERSION && body[4] != length) {
        return;
    }
    const uint16_t number = (uint16_t)(body[2] | body[3] << 8);
    const bool again = link->out_count > 0 && link->answered == crc && link->answered_number == number;
    if (!again) {
        answer(link, body, length, command);
        link->answered = crc;
    }
    hal_write(link->out, link->out_count);
}

void tn_link_take(tn_link *link, uint8_t byte, tn_command *command)
{
    if (byte != 0) {
        if (link->held < TN_LINK_WIRE) {
            link->in[link->held++] = byte;
        }
        return;
    }
    end_of_frame(link, command);
    link->held = 0;
}
