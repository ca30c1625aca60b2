/* The name of a journal's entry: what sd_journal_get_cursor(3) gives as text, taken apart. */
#ifndef HAUL_AGENT_CURSOR_H
#define HAUL_AGENT_CURSOR_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define CURSOR_TEXT_MAX 160

struct cursor {
	uint8_t seqnum_id[16]; /* of what wrote the entry: sequence numbers rise below it */
	uint64_t seqnum;
	uint8_t boot_id[16];
	uint64_t monotonic_us, realtime_us;
	uint64_t xor_hash; /* of its fields */
};

/* Takes all of the text or fails: -EINVAL. Fields in any order, each once. */
int cursor_parse(struct span text, struct cursor *ret) MUST_CHECK;
int cursor_format(const struct cursor *c, struct buf *out) MUST_CHECK;

bool cursor_same_series(const struct cursor *a, const struct cursor *b);

/* The same entry, also when journald has copied it to another file under a new number. */
bool cursor_equal(const struct cursor *a, const struct cursor *b);

#endif
