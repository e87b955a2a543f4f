/* Exact integer arithmetic of the kernels: TensorFlow Lite's requantisation, loads, saturation.
 *
 * Right shifts of negative numbers are arithmetic and conversions to a narrower signed type wrap: C99 leaves both
 * to the compiler, and GCC, Clang, IAR and Arm's compilers all do so.
 *
 * Everything has a portable form. On cores with the DSP extension (Armv7E-M: Cortex-M4, M7; Armv8-M with DSP) some
 * have a second one; both give the same results. The second needs optimisation (-O0 leaves too few registers) and
 * unaligned word loads, which are allowed after reset. It is tried with GCC only, and so chosen with GCC only;
 * -DTN_PORTABLE chooses the first everywhere.
 */
#ifndef TN_ARITHMETIC_H
#define TN_ARITHMETIC_H

#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && defined(__thumb2__) && !defined(__ARM_BIG_ENDIAN) && \
    defined(__OPTIMIZE__) && defined(__GNUC__) && !defined(__clang__) && !defined(TN_PORTABLE)
#define TN_DSP 1
#include <arm_acle.h>
#else
#define TN_DSP 0
#endif

#if defined(__GNUC__)
#define TN_INLINE static inline __attribute__((always_inline))
#define TN_NOINLINE __attribute__((noinline))
#else
#define TN_INLINE static inline
#define TN_NOINLINE
#endif

TN_INLINE uint32_t tn_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

TN_INLINE int32_t tn_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* To -128..127. */
TN_INLINE int8_t tn_saturate(int32_t value)
{
#if TN_DSP
    int32_t saturated;
    __asm__("ssat %0, #8, %1" : "=r"(saturated) : "r"(value));
    return (int8_t)saturated;
#else
    return (int8_t)tn_clamp(value, INT8_MIN, INT8_MAX);
#endif
}

/* Four bytes, wherever they lie. (One LDR where the core allows unaligned words.) */
TN_INLINE uint32_t tn_load4(const int8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

#if TN_DSP
/* Bytes 0 and 2 of a word as int16, and bytes 1 and 3. (GCC would rotate by an instruction of its own.) */
TN_INLINE uint32_t tn_even_bytes(uint32_t word)
{
    return (uint32_t)__sxtb16((int8x4_t)word);
}

TN_INLINE uint32_t tn_odd_bytes(uint32_t word)
{
    uint32_t odd;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(word));
    return odd;
}
#endif

/* a * b / 2^31, rounded to nearest, halves up: gemmlowp's SaturatingRoundingDoublingHighMul. Its one saturation,
 * INT32_MIN * INT32_MIN, is here too. */
TN_INLINE int32_t tn_multiply_high(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* a * b / 2^32 rounded to nearest, halves up, + c. */
TN_INLINE int32_t tn_high_plus(int32_t a, int32_t b, int32_t c)
{
#if TN_DSP
    int32_t high;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(a), "r"(b), "r"(c));
    return high;
#else
    const int64_t product = (int64_t)a * b;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31) + c;
#endif
}

/* value / 2^shift for shift 0..31, rounded to nearest, halves away from zero: gemmlowp's RoundingDivideByPOT. */
TN_INLINE int32_t tn_divide_by_power(int32_t value, int32_t shift)
{
    const uint32_t mask = ((uint32_t)1 << shift) - 1;
    const uint32_t rest = (uint32_t)value & mask;
    const uint32_t half = (mask >> 1) + (value < 0);
    return (value >> shift) + (rest > half);
}

/* TFLite's MultiplyByQuantizedMultiplier, with its two roundings, for any value, any multiplier and shift -31..30.
 * A left shift drops what leaves the 32 bits, as TFLite's does. */
TN_INLINE int32_t tn_rescale(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return tn_divide_by_power(tn_multiply_high((int32_t)((uint32_t)value << left), multiplier), right);
}

/* tn_rescale and what follows it in most kernels. A call, for what happens too seldom to stand in every loop. */
int8_t tn_rescale_wide(int32_t value, int32_t multiplier, int32_t shift, int32_t zero);

/* tn_rescale(value, multiplier, -right) in few instructions, for a multiplier >= 0, |value| < 2^30 and right 1..31:
 *
 * - value * multiplier / 2^31 rounded is the upper word of (2 * value) * multiplier, rounded: SMMULR. SMMLAR adds the
 *   rounding of the division that follows for nothing.
 * - Halves away from zero are halves up after taking 1 off what is negative. The sign may be taken from the value in
 *   place of the product: they differ only where the product rounds to 0, and -1 + rounding still gives 0. */
TN_INLINE int32_t tn_rescale_narrow(int32_t value, int32_t multiplier, int32_t right)
{
    const int32_t twice = value * 2;
    const int32_t rounding = (int32_t)(((uint32_t)1 << right) >> 1);
    return (tn_high_plus(twice, multiplier, rounding) + (twice >> 31)) >> right;
}

#if TN_DSP
/* A byte four times, and of the bytes of two words the larger and the smaller ones. */
TN_INLINE uint32_t tn_four_bytes(int8_t byte)
{
    return 0x01010101u * (uint8_t)byte;
}

TN_INLINE uint32_t tn_larger_bytes(uint32_t a, uint32_t b)
{
    (void)__ssub8((int8x4_t)a, (int8x4_t)b); /* sets a flag for each byte that is not below */
    return (uint32_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}

TN_INLINE uint32_t tn_smaller_bytes(uint32_t a, uint32_t b)
{
    (void)__ssub8((int8x4_t)b, (int8x4_t)a);
    return (uint32_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}
#endif

/* Clamps a finished row to low..high. Kernels saturate to int8 as they write, and a layer whose activation is tighter
 * than int8 (most are not) pays for it here, once a row. */
void tn_clamp_row(int8_t *row, uint32_t count, int8_t low, int8_t high);

#endif
