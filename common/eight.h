/* Eight bytes of text at a time, in one number: how the times of all lines are read (the agent
 * finds them, the collector checks them). After Daniel Lemire, "Parsing series of integers with
 * SIMD" and "Quickly parsing eight digits"; the zero byte test is Alan Mycroft's. Pure
 * functions. */
#ifndef HAUL_COMMON_EIGHT_H
#define HAUL_COMMON_EIGHT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EIGHT_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The first byte is the lowest, whatever the machine. */
static inline uint64_t eight_load(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/* The top bit of the lowest byte of v that is 0 is set; none is when no byte is 0. (Above that byte
 * bits may be set wrongly.) */
static inline uint64_t eight_zero_bytes(uint64_t v)
{
	return (v - EIGHT_EACH(0x01)) & ~v & EIGHT_EACH(0x80);
}

/* Do the eight bytes look like `shape`, in which 0 is any digit and everything else itself? Then
 * byte i of *ret_pairs is the number that the digits i and i + 1 make. */
static inline bool eight_pairs(const char *p, const char shape[static 8], uint64_t *ret_pairs)
{
	uint64_t wanted = eight_load(shape);
	uint64_t v = eight_load(p) ^ wanted; /* a digit's value, and 0 for what is itself */
	uint64_t digit_places = eight_zero_bytes(wanted ^ EIGHT_EACH('0')) >> 7;
	uint64_t most = EIGHT_EACH(0x7f) - digit_places * 9;
	if (((v + most) | v) & EIGHT_EACH(0x80))
		return false;
	*ret_pairs = v * 10 + (v >> 8);
	return true;
}

static inline unsigned eight_byte(uint64_t v, unsigned i)
{
	return (unsigned)(v >> (8 * i)) & 0xff;
}

#endif
