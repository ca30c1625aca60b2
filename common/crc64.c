/* CRC-64/XZ: see crc64.h. Both sides chain it over a source's bytes, the agent over holes too.
 *
 * Bytes go to ISA-L. For zeros: the register (the checksum before its final inversion) is a
 * polynomial over GF(2), and a zero byte multiplies it by x^8 modulo P. So n zeros multiply it by
 * x^(8n), which squaring finds in log n steps. In the reflected form bit 63 stands for x^0. */
#include "common/crc64.h"

#include "common/isal.h"

/* x^64 + ... of ECMA-182 without its x^64, reflected. */
#define POLYNOMIAL UINT64_C(0xc96c5795d7870f42)

#define X_TO_0 (UINT64_C(1) << 63)
#define X_TO_8 (UINT64_C(1) << 55)

uint64_t crc64_add(uint64_t crc, const void *bytes, size_t len)
{
	return len ? isal_crc64(crc, bytes, len) : crc;
}

/* a times b modulo P: for each term of a, from x^0 on, b times that power of x. */
static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product = 0;
	for (; a; a <<= 1) {
		product ^= b & -(a >> 63);
		b = b >> 1 ^ (POLYNOMIAL & -(b & 1));
	}
	return product;
}

uint64_t crc64_add_zeros(uint64_t crc, uint64_t count)
{
	uint64_t factor = X_TO_0;
	for (uint64_t power = X_TO_8; count; count >>= 1) {
		if (count & 1)
			factor = multiply(factor, power);
		power = multiply(power, power);
	}
	return ~multiply(~crc, factor);
}
