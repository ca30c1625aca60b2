/* Payload lines that are compressed once, in a block that can stand behind any other. */
#ifndef HAUL_BENCH_LOAD_TEXT_H
#define HAUL_BENCH_LOAD_TEXT_H

#include "common/buf.h"

#include <stdint.h>

struct text {
	struct buf plain;   /* payload lines */
	struct buf deflate; /* the same, ending on a byte, not the last block */
	uint64_t lines;
};

/* So many bytes of JSON lines, or a few more. Errors: -ENOMEM, -EIO. */
int text_make(size_t bytes, struct text *ret) MUST_CHECK;

/* The same numbers in each run. */
uint64_t random_u64(void);

#endif
