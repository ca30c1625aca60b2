/* The lines that are played: see text.h. */
#include "tests/bench/load/text.h"

#include "common/clock.h"
#include "common/line.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <isa-l.h>
#include <stdio.h>

static uint64_t random_state = 0x9e3779b97f4a7c15;

uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A line of a service that logs JSON, some 320 bytes, ids recurring over a few lines. */
static int add_line(struct buf *out, int64_t time_us)
{
	static uint64_t id;
	static const char *const levels[] = {"info", "info", "info", "debug", "warn", "error"};
	static const char *const paths[] = {"/cart", "/cart/items", "/checkout",
					    "/pay",  "/search",     "/login"};
	if (random_u64() % 4 == 0 || !id)
		id = random_u64();
	uint64_t r = random_u64();
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "{\"ts\":\"2026-11-22T05:40:00.%06" PRIu64
			   "Z\",\"level\":\"%s\",\"service\":\"checkout\","
			   "\"request_id\":\"%016" PRIx64 "%016" PRIx64
			   "\",\"method\":\"GET\",\"path\":\"%s\",\"status\":%d,"
			   "\"duration_ms\":%" PRIu64 ".%03" PRIu64 ",\"user\":\"u%06" PRIu64
			   "\",\"peer\":\"10.%" PRIu64 ".%" PRIu64 ".%" PRIu64
			   "\",\"msg\":\"handled the request of a customer in the usual way\"}",
			   r % 1000000, levels[r % 6], id, id * 31, paths[(r >> 8) % 6],
			   (r >> 16) % 50 ? 200 : 500, (r >> 20) % 900, (r >> 30) % 1000,
			   (r >> 24) % 1000000, r % 4, (r >> 3) % 256, (r >> 12) % 256);
	return line_add_payload(out, time_us, (struct line_flags){.kind = LINE_HEAD},
				span_make(text, (size_t)len));
}

static int compress(struct text *t)
{
	static uint8_t level_buf[ISAL_DEF_LVL1_DEFAULT];
	struct isal_zstream z;
	isal_deflate_init(&z);
	z.level = 1;
	z.level_buf = level_buf;
	z.level_buf_size = sizeof(level_buf);
	z.flush = FULL_FLUSH;
	int r = buf_reserve(&t->deflate, t->plain.len + t->plain.len / 8 + 1024);
	if (r < 0)
		return r;
	z.next_in = (uint8_t *)t->plain.ptr;
	z.avail_in = (uint32_t)t->plain.len;
	z.next_out = (uint8_t *)t->deflate.ptr;
	z.avail_out = (uint32_t)t->deflate.cap;
	if (isal_deflate(&z) != COMP_OK || z.avail_in)
		return -EIO;
	t->deflate.len = t->deflate.cap - z.avail_out;
	return 0;
}

int text_make(size_t bytes, struct text *ret)
{
	struct text t = {0};
	int64_t now_us = clock_real_ns() / NUM_US_NS;
	int r = 0;
	while (r == 0 && (t.plain.len < bytes || t.lines == 0)) {
		r = add_line(&t.plain, now_us + (int64_t)t.lines);
		t.lines++;
	}
	if (r == 0)
		r = compress(&t);
	if (r < 0) {
		buf_free(&t.plain);
		buf_free(&t.deflate);
		return r;
	}
	*ret = t;
	return 0;
}
