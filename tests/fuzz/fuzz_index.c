/* The index's decoders: any bytes are a file of parts, a slab, or refused; and what is taken can be
 * asked and checked without harm. The first byte chooses. */
#include "collector/store/index_format.h"
#include "collector/store/slab.h"
#include "common/file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct token_terms terms = {.items = {{.hash = UINT64_C(357909139335904113), .trait = 3}},
				   .n = 1};
static struct slab_need need = {&terms, 1};
static const struct slab_query query = {&need, 1, 0, INT64_MAX};

static void counts(struct span bytes, uint32_t n_blocks)
{
	static struct counts_row rows[COUNTS_ROWS_MAX];
	struct counts_reader r;
	int n;
	if (counts_open(bytes, n_blocks, &r) < 0)
		return;
	while ((n = counts_next(&r, rows)) >= 0)
		for (int i = 0; i < n; i++)
			if (rows[i].level)
				(void)counts_level(&r.levels, rows[i].level);
	assert(n == -ENODATA || n == -EBADMSG);
}

static void parts(struct span bytes)
{
	struct part p;
	while (part_decode(&bytes, false, &p) == 0) {
		for (uint32_t i = 0; i < p.segment.n_blocks; i++)
			(void)slab_asks_block(&query, &p.blocks[i]);
		counts(p.counts_bytes, p.segment.n_blocks);
		part_free(&p);
	}
}

static void slab(struct span bytes)
{
	struct slab *s;
	struct slab_hits hits = {0};
	int fd = memfd_create("slab", MFD_CLOEXEC);
	assert(fd >= 0 && file_pwrite_all(fd, bytes, 0) == 0);
	if (slab_open(fd, &s) < 0)
		return;
	int r = slab_search(s, &query, &hits);
	assert(r == 0 || r == -EBADMSG);
	slab_hits_sort(&hits);
	for (size_t i = 0; i < hits.n; i++)
		assert(hits.items[i].segment < slab_segments(s));
	struct buf coded = BUF_EMPTY;
	for (size_t i = 0; i < slab_segments(s); i++)
		if (slab_counts(s, i, &coded) == 0)
			counts(buf_span(&coded), slab_segment(s, i)->n_blocks);
	buf_free(&coded);
	r = slab_verify(s);
	assert(r == 0 || r == -EBADMSG);
	slab_hits_free(&hits);
	slab_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span bytes = span_make((const char *)data + 1, size - 1);
	uint64_t length;
	switch (data[0] % 4) {
	case 0: parts(bytes); break;
	case 1: slab(bytes); break;
	case 3: counts(bytes, 7); break;
	case 2:
		if (bytes.len >= INDEX_PARTS_HEADER && index_parts_length(bytes.ptr, &length) == 0)
			parts(span_from(bytes, INDEX_PARTS_HEADER));
		break;
	}
	return 0;
}
