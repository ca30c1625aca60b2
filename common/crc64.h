/* CRC-64/XZ (ECMA-182 polynomial, reflected, all-ones start and end; "123456789" gives
 * 995dc9bbdf1939fa). Computed by ISA-L's crc64_ecma_refl at memory speed. */
#ifndef HAUL_COMMON_CRC64_H
#define HAUL_COMMON_CRC64_H

#include <stddef.h>
#include <stdint.h>

#define CRC64_EMPTY UINT64_C(0) /* of no bytes */

/* The checksum of A followed by `bytes`, where `crc` is that of A. */
uint64_t crc64_add(uint64_t crc, const void *bytes, size_t len);

/* The checksum of A followed by `count` NUL bytes, in O(log count): holes of sparse files are
 * carried, never read. */
uint64_t crc64_add_zeros(uint64_t crc, uint64_t count);

#endif
