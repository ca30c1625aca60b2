/* A stream's name: 16 random bytes, written as 32 lower-case hex digits. */
#ifndef HAUL_COMMON_STREAM_ID_H
#define HAUL_COMMON_STREAM_ID_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define STREAM_ID_HEX 32

struct stream_id {
	uint8_t bytes[16];
};

/* From the kernel's random source. Errors: -errno of getrandom. */
int stream_id_random(struct stream_id *ret) MUST_CHECK;
/* Exactly 32 lower-case hex digits, else -EINVAL. */
int stream_id_parse(struct span s, struct stream_id *ret) MUST_CHECK;
void stream_id_format(char dst[STREAM_ID_HEX], const struct stream_id *id);
bool stream_id_equal(const struct stream_id *a, const struct stream_id *b);
/* For hash tables: the bytes are random, so their first eight will do. */
uint64_t stream_id_hash(const struct stream_id *id);

#endif
