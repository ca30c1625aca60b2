/* Any bytes as what a record of the write-ahead log says: taken as something that could have been
 * written, or refused. The first byte chooses the type. Readers and recovery decode them. */
#include "collector/store/walrecord.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_batch(struct span meta)
{
	struct walrecord_batch b;
	struct buf again = BUF_EMPTY;
	size_t n_lines = 0;
	if (walrecord_decode_batch(meta, &b) < 0)
		return;
	for (size_t i = 0; i < b.n_chunks; i++)
		n_lines += b.chunks[i].n_lines;
	if (walrecord_begin_batch(&b, n_lines, &again) < 0)
		abort();
	for (size_t i = 0; i < b.n_chunks; i++) {
		const struct chunk *c = &b.chunks[i].header;
		if (c->from > c->to || c->start > c->from ||
		    walrecord_add_chunk(&b.chunks[i], &again) < 0)
			abort();
	}
	/* Unknown bits of its flags are the only thing that is not kept. */
	if (again.len != meta.len)
		abort();
	walrecord_batch_free(&b);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session s;
	struct walrecord_move m;
	if (size == 0)
		return 0;
	struct span meta = span_make((const char *)data + 1, size - 1);
	switch (data[0] % 3) {
	case 0: check_batch(meta); break;
	case 1: (void)!walrecord_decode_session(meta, &s); break;
	default: (void)!walrecord_decode_move(meta, &m); break;
	}
	return 0;
}
