/* Fields of the WAL, explicit and little-endian. A writer appends to a buffer, a reader takes from
 * a span; both remember the first thing that went wrong, so that a record is coded field after
 * field and asked once at its end. */
#ifndef HAUL_COLLECTOR_STORE_LE_H
#define HAUL_COLLECTOR_STORE_LE_H

#include "common/buf.h"
#include "common/span.h"

#include <errno.h>
#include <stdint.h>

static inline void le_put(void *dst, uint64_t v, size_t size)
{
	unsigned char *at = dst;
	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)(v >> (8 * i));
}

static inline uint64_t le_get(const void *src, size_t size)
{
	const unsigned char *at = src;
	uint64_t v = 0;
	for (size_t i = 0; i < size; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

struct le_writer {
	struct buf *out;
	int error; /* 0, or the first -errno */
};

static inline void le_write_bytes(struct le_writer *w, struct span bytes)
{
	if (w->error == 0)
		w->error = buf_add_span(w->out, bytes);
}

static inline void le_write(struct le_writer *w, uint64_t v, size_t size)
{
	char bytes[8];
	le_put(bytes, v, size);
	le_write_bytes(w, span_make(bytes, size));
}

static inline void le_write_u8(struct le_writer *w, uint8_t v)
{
	le_write(w, v, 1);
}

static inline void le_write_u16(struct le_writer *w, uint16_t v)
{
	le_write(w, v, 2);
}

static inline void le_write_u32(struct le_writer *w, uint32_t v)
{
	le_write(w, v, 4);
}

static inline void le_write_u64(struct le_writer *w, uint64_t v)
{
	le_write(w, v, 8);
}

static inline void le_write_i32(struct le_writer *w, int32_t v)
{
	le_write(w, (uint32_t)v, 4);
}

static inline void le_write_i64(struct le_writer *w, int64_t v)
{
	le_write(w, (uint64_t)v, 8);
}

/* At most 65535 bytes: length, bytes. */
static inline void le_write_text(struct le_writer *w, struct span s)
{
	if (s.len > UINT16_MAX) {
		if (w->error == 0)
			w->error = -EMSGSIZE;
		return;
	}
	le_write_u16(w, (uint16_t)s.len);
	le_write_bytes(w, s);
}

struct le_reader {
	struct span rest;
	bool bad; /* something was taken that was not there: all values since are 0 */
};

static inline struct span le_read_bytes(struct le_reader *r, size_t size)
{
	if (r->bad || size > r->rest.len) {
		r->bad = true;
		return (struct span){0};
	}
	struct span s = span_first(r->rest, size);
	r->rest = span_from(r->rest, size);
	return s;
}

static inline uint64_t le_read(struct le_reader *r, size_t size)
{
	struct span s = le_read_bytes(r, size);
	return r->bad ? 0 : le_get(s.ptr, size);
}

static inline uint8_t le_read_u8(struct le_reader *r)
{
	return (uint8_t)le_read(r, 1);
}

static inline uint16_t le_read_u16(struct le_reader *r)
{
	return (uint16_t)le_read(r, 2);
}

static inline uint32_t le_read_u32(struct le_reader *r)
{
	return (uint32_t)le_read(r, 4);
}

static inline uint64_t le_read_u64(struct le_reader *r)
{
	return le_read(r, 8);
}

static inline int32_t le_read_i32(struct le_reader *r)
{
	return (int32_t)le_read(r, 4);
}

static inline int64_t le_read_i64(struct le_reader *r)
{
	return (int64_t)le_read(r, 8);
}

static inline struct span le_read_text(struct le_reader *r)
{
	size_t len = le_read_u16(r);
	return le_read_bytes(r, len);
}

#endif
