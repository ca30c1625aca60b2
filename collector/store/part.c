/* Parts of the index: see part.h. Called by indexer.c to make and gather them, by index.c to read
 * what is gathered.
 *
 *     record    magic, length and checksum of the head, lengths and checksums of filters and counts
 *     head      the segment, then 56 bytes a block
 *     filters   one after another
 *     counts    counts.h
 *
 * Head, filters and counts have a checksum each, so that a search can trust the head of each part
 * without reading all filters. Whatever is damaged is -EBADMSG, never more. */
#include "collector/store/part.h"

#include "collector/store/filter.h"
#include "collector/store/le.h"
#include "common/crc64.h"
#include "common/num.h"

#include <stdlib.h>

enum {
	BLOCK_LEN = 56,
	AT_SUM = 24,        /* in the record's header */
	BLOCK_UUID = 1,     /* flags */
	MAGIC = 0x54524148, /* HART, as it stands in the file */
};

void part_clear(struct part *p)
{
	p->segment.n_blocks = 0;
	buf_clear(&p->filters);
	counts_clear(&p->counts);
}

void part_free(struct part *p)
{
	free(p->blocks);
	buf_free(&p->filters);
	counts_free(&p->counts);
	*p = (struct part){0};
}

static int block_room(struct part *p, size_t n)
{
	if (n <= p->capacity)
		return 0;
	size_t capacity = p->capacity ? p->capacity * 2 : 16;
	capacity = capacity < n ? n : capacity;
	struct part_block *blocks = realloc(p->blocks, capacity * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	p->blocks = blocks;
	p->capacity = capacity;
	return 0;
}

int part_add(struct part *p, uint64_t offset, uint32_t length, uint32_t plain_length,
	     const struct digest *digest)
{
	uint32_t n = p->segment.n_blocks;
	if (n == PART_BLOCKS_MAX)
		return -ENOSPC;
	int r = block_room(p, n + 1);
	uint32_t bits = filter_bits(digest->tokens.count);
	if (r == 0)
		r = buf_reserve(&p->filters, bits / 8);
	if (r == 0)
		r = counts_add(&p->counts, &digest->counts);
	if (r < 0)
		return r;
	filter_make(&digest->tokens, bits, (uint8_t *)p->filters.ptr + p->filters.len);
	p->filters.len += bits / 8;
	bool timeless = digest->timeless || digest->first_us > digest->last_us;
	p->blocks[n] = (struct part_block){
		.offset = offset,
		.length = length,
		.plain_length = plain_length,
		.lines = (uint32_t)digest->lines,
		.first_us = timeless ? INT64_MIN : digest->first_us,
		.last_us = timeless ? INT64_MAX : digest->last_us,
		.bits = bits,
		.id_lengths = digest->tokens.id_lengths,
		.has_uuid = digest->tokens.has_uuid,
	};
	p->segment.n_blocks++;
	return 0;
}

bool part_block_trait(const struct part_block *b, unsigned trait)
{
	if (trait == TOKEN_TRAIT_UUID)
		return b->has_uuid;
	return trait < TOKEN_ID_LENGTHS && b->id_lengths >> trait != 0;
}

/* --- segments --- */

int part_segment_encode(const struct part_segment *s, struct buf *out)
{
	struct le_writer w = {.out = out};
	le_write_i32(&w, s->day);
	le_write_u32(&w, s->number);
	le_write_u8(&w, (uint8_t)s->form);
	le_write_u64(&w, s->size);
	le_write_u64(&w, s->plain_bytes);
	le_write_u64(&w, s->plain_crc);
	le_write_u64(&w, s->lines);
	le_write_u32(&w, s->blocks);
	le_write_u32(&w, s->first_block);
	le_write_u32(&w, s->n_blocks);
	le_write_u8(&w, (uint8_t)s->service.len);
	le_write_u8(&w, (uint8_t)s->host.len);
	le_write_bytes(&w, s->service);
	le_write_bytes(&w, s->host);
	return w.error;
}

int part_segment_decode(struct span *in, struct part_segment *ret)
{
	struct le_reader r = {.rest = *in};
	struct part_segment s = {
		.day = le_read_i32(&r),
		.number = le_read_u32(&r),
	};
	unsigned form = le_read_u8(&r);
	s.size = le_read_u64(&r);
	s.plain_bytes = le_read_u64(&r);
	s.plain_crc = le_read_u64(&r);
	s.lines = le_read_u64(&r);
	s.blocks = le_read_u32(&r);
	s.first_block = le_read_u32(&r);
	s.n_blocks = le_read_u32(&r);
	size_t service_len = le_read_u8(&r), host_len = le_read_u8(&r);
	s.service = le_read_bytes(&r, service_len);
	s.host = le_read_bytes(&r, host_len);
	uint64_t end = (uint64_t)s.first_block + s.n_blocks;
	bool fine = !r.bad && s.day >= CIVIL_MIN_DAY && s.day <= CIVIL_MAX_DAY && s.number &&
		    (form == SEGMENT_CLOSED || form == SEGMENT_ZSTD || form == SEGMENT_GZIP) &&
		    s.n_blocks <= PART_BLOCKS_MAX && end <= s.blocks && name_valid(s.service) &&
		    name_valid(s.host);
	if (!fine)
		return -EBADMSG;
	s.form = (enum segment_form)form;
	*in = r.rest;
	*ret = s;
	return 0;
}

/* --- records --- */

struct span part_counts(const struct part *p)
{
	uint64_t sum = crc64_add(CRC64_EMPTY, p->counts_bytes.ptr, p->counts_bytes.len);
	return (uint32_t)sum == p->counts_sum ? p->counts_bytes : span_make(NULL, 0);
}

int part_counts_encode(const struct part *p, struct buf *out)
{
	return p->counts_bytes.ptr ? buf_add_span(out, part_counts(p))
				   : counts_encode(&p->counts, out);
}

static void encode_block(struct le_writer *w, const struct part_block *b)
{
	le_write_u64(w, b->offset);
	le_write_u32(w, b->length);
	le_write_u32(w, b->plain_length);
	le_write_u32(w, b->lines);
	le_write_u32(w, b->bits);
	le_write_i64(w, b->first_us);
	le_write_i64(w, b->last_us);
	le_write_u64(w, b->id_lengths);
	le_write_u64(w, b->has_uuid ? BLOCK_UUID : 0);
}

int part_encode(struct part *p, struct buf *out)
{
	size_t start = out->len;
	struct le_writer w = {.out = out};
	if (p->filters.len > PART_BYTES_MAX)
		return -EMSGSIZE;
	static const char blank[PART_HEADER_LEN];
	le_write_bytes(&w, span_make(blank, sizeof(blank)));
	if (w.error == 0)
		w.error = part_segment_encode(&p->segment, out);
	for (uint32_t i = 0; i < p->segment.n_blocks; i++)
		encode_block(&w, &p->blocks[i]);
	size_t head = out->len - start - PART_HEADER_LEN;
	le_write_bytes(&w, buf_span(&p->filters));
	size_t counts_at = out->len;
	if (w.error == 0)
		w.error = part_counts_encode(p, out);
	if (w.error < 0) {
		out->len = start;
		return w.error;
	}
	char *at = out->ptr + start;
	size_t counts = out->len - counts_at;
	le_put(at, MAGIC, 4);
	le_put(at + 4, head, 4);
	le_put(at + 8, p->filters.len, 4);
	/* Half of each checksum is enough for pieces of this size. */
	le_put(at + 12, crc64_add(CRC64_EMPTY, p->filters.ptr, p->filters.len), 4);
	le_put(at + 16, counts, 4);
	le_put(at + 20, crc64_add(CRC64_EMPTY, out->ptr + counts_at, counts), 4);
	uint64_t crc = crc64_add(CRC64_EMPTY, at, AT_SUM);
	le_put(at + AT_SUM, crc64_add(crc, at + PART_HEADER_LEN, head), 8);
	return 0;
}

static int decode_block(struct le_reader *r, struct span *filters, struct part_block *ret)
{
	struct part_block b = {.offset = le_read_u64(r)};
	b.length = le_read_u32(r);
	b.plain_length = le_read_u32(r);
	b.lines = le_read_u32(r);
	b.bits = le_read_u32(r);
	b.first_us = le_read_i64(r);
	b.last_us = le_read_i64(r);
	b.id_lengths = le_read_u64(r);
	b.has_uuid = le_read_u64(r) & BLOCK_UUID;
	uint64_t end;
	if (r->bad || !filter_valid_bits(b.bits) || b.bits / 8 > filters->len ||
	    !num_add_u64(b.offset, b.length, &end))
		return -EBADMSG;
	b.filter = (const uint8_t *)filters->ptr;
	*filters = span_from(*filters, b.bits / 8);
	*ret = b;
	return 0;
}

static int decode_head(struct span head, struct span filters, struct part *p)
{
	int r = part_segment_decode(&head, &p->segment);
	if (r < 0)
		return r;
	if (head.len != (size_t)p->segment.n_blocks * BLOCK_LEN)
		return -EBADMSG;
	r = block_room(p, p->segment.n_blocks ? p->segment.n_blocks : 1);
	struct le_reader reader = {.rest = head};
	for (uint32_t i = 0; i < p->segment.n_blocks && r == 0; i++)
		r = decode_block(&reader, &filters, &p->blocks[i]);
	if (r == 0 && filters.len)
		r = -EBADMSG;
	for (uint32_t i = 0; i < p->segment.n_blocks && r == 0; i++)
		if (p->blocks[i].offset + p->blocks[i].length > p->segment.size)
			r = -EBADMSG;
	return r;
}

int part_record_length(const char header[PART_HEADER_LEN], size_t *ret)
{
	uint64_t length = PART_HEADER_LEN + le_get(header + 4, 4) + le_get(header + 8, 4) +
			  le_get(header + 16, 4);
	if (le_get(header, 4) != MAGIC || length > 2 * (uint64_t)PART_BYTES_MAX)
		return -EBADMSG;
	*ret = (size_t)length;
	return 0;
}

int part_decode(struct span *in, bool whole, struct part *ret)
{
	if (in->len == 0)
		return -ENODATA;
	if (in->len < PART_HEADER_LEN || le_get(in->ptr, 4) != MAGIC)
		return -EBADMSG;
	size_t head = le_get(in->ptr + 4, 4), filters = le_get(in->ptr + 8, 4);
	struct span rest = span_from(*in, PART_HEADER_LEN);
	size_t counts = le_get(in->ptr + 16, 4);
	if (head > rest.len || filters > rest.len - head || counts > rest.len - head - filters)
		return -EBADMSG;
	uint64_t crc = crc64_add(CRC64_EMPTY, in->ptr, AT_SUM);
	if (crc64_add(crc, rest.ptr, head) != le_get(in->ptr + AT_SUM, 8))
		return -EBADMSG;
	struct span bytes = span_first(span_from(rest, head), filters);
	if (whole &&
	    (uint32_t)crc64_add(CRC64_EMPTY, bytes.ptr, bytes.len) != le_get(in->ptr + 12, 4))
		return -EBADMSG;
	struct part p = {0};
	int r = decode_head(span_first(rest, head), bytes, &p);
	if (r < 0) {
		part_free(&p);
		return r;
	}
	p.counts_bytes = span_first(span_from(rest, head + filters), counts);
	p.counts_sum = (uint32_t)le_get(in->ptr + 20, 4);
	*in = span_from(rest, head + filters + counts);
	*ret = p;
	return 0;
}
