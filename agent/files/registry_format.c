/* Registry lines: see registry_format.h. Pure encoding and decoding; registry.c has the file. What
 * is read was written by this program, but a disk may have made anything of it: the checksum rules
 * out accidents, and everything is parsed as if it came from outside. */
#include "agent/files/registry_format.h"

#include "agent/journal/stream.h"
#include "common/crc64.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CRC_ROOM "                 " /* where the checksum goes, and a blank */

enum { TEXT_MAX = 8192, CRC_HEX = 16 };

/* --- writing --- */

/* Blanks, control characters and '%' as %XX; an empty text as '%'. */
static int add_text(struct buf *out, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = strlen(text);
	int r = buf_reserve(out, 2 + 3 * len);
	if (r < 0)
		return r;
	char *at = out->ptr + out->len;
	*at++ = ' ';
	if (!len)
		*at++ = '%';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c > ' ' && c != '%' && c != 0x7f) {
			*at++ = (char)c;
			continue;
		}
		*at++ = '%';
		*at++ = hex[c >> 4];
		*at++ = hex[c & 15];
	}
	out->len = (size_t)(at - out->ptr);
	return 0;
}

static int add_u64(struct buf *out, uint64_t v)
{
	int r = buf_add_char(out, ' ');
	return r == 0 ? buf_add_u64(out, v) : r;
}

static int add_hex64(struct buf *out, uint64_t v)
{
	char text[17] = " ";
	num_format_hex64(text + 1, v);
	return buf_add(out, text, sizeof(text));
}

static int begin(struct buf *out, char kind, const struct stream_id *id)
{
	char hex[STREAM_ID_HEX];
	stream_id_format(hex, id);
	int r = buf_add(out, CRC_ROOM, CRC_HEX + 1);
	if (r == 0)
		r = buf_add_char(out, kind);
	if (r == 0)
		r = buf_add_char(out, ' ');
	return r == 0 ? buf_add(out, hex, sizeof(hex)) : r;
}

/* Puts the checksum in front and the LF behind; on an error so far the line is taken back. */
static int end(struct buf *out, size_t at, int error)
{
	int r = error ? error : buf_add_char(out, '\n');
	if (r < 0) {
		out->len = at;
		return r;
	}
	const char *text = out->ptr + at + CRC_HEX + 1;
	size_t len = out->len - at - CRC_HEX - 2;
	num_format_hex64(out->ptr + at, crc64_add(CRC64_EMPTY, text, len));
	return 0;
}

/* What it was when it was last seen. One that nobody has begun to follow is told by its names. */
static enum source_state state_kept(const struct source *s)
{
	if (s->state == SOURCE_MISSING)
		return s->was != SOURCE_NEW ? s->was : SOURCE_MISSING;
	if (s->state != SOURCE_NEW)
		return s->state;
	if (source_was_stray(s))
		return s->was;
	return s->followed ? SOURCE_FOLLOWING : SOURCE_ROTATED;
}

int registry_add_source(struct buf *out, const struct source *s)
{
	size_t at = out->len;
	char flags[8];
	(void)snprintf(flags, sizeof(flags), "-%s%s%s%s%s", s->born ? "b" : "",
		       s->copied ? "c" : "", s->compressed ? "z" : "", s->between ? "t" : "",
		       s->journal ? "j" : "");
	int r = begin(out, 's', &s->id);
	if (r == 0)
		r = buf_printf(out,
			       " %s %s %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu64
			       " %" PRIu64,
			       source_state_name(state_kept(s)), flags, s->created_ns, s->start,
			       s->ino, s->btime_ns, (uint64_t)s->dev, s->sure_size);
	if (r == 0)
		r = add_text(out, s->input ? s->input->name : s->input_name ? s->input_name : "");
	if (r == 0)
		r = add_text(out, s->path);
	if (r == 0)
		r = add_text(out, s->service);
	if (r == 0)
		r = add_text(out, s->instance);
	return end(out, at, r);
}

int registry_add_commit(struct buf *out, const struct source *s)
{
	size_t at = out->len;
	struct buf frame = BUF_EMPTY;
	const char *text = NULL;
	int r = s->journal
			? stream_state_encode(&s->journal->committed, &s->committed.frame, &frame)
			: frame_state_encode(&s->committed.frame, &frame);
	if (r == 0)
		r = (text = buf_cstr(&frame)) ? begin(out, 'c', &s->id) : -ENOMEM;
	r = r == 0 ? add_u64(out, s->committed.offset) : r;
	r = r == 0 ? add_u64(out, s->committed.base) : r;
	r = r == 0 ? add_hex64(out, s->committed.crc) : r;
	r = r == 0 ? add_u64(out, s->sure_size) : r;
	r = r == 0 ? add_u64(out, s->born) : r;
	if (r == 0)
		r = add_text(out, text);
	buf_free(&frame);
	return end(out, at, r);
}

int registry_add_ladder(struct buf *out, const struct source *s)
{
	const struct ladder *l = &s->ladder;
	size_t at = out->len;
	int r = begin(out, 'r', &s->id);
	if (r == 0)
		r = buf_printf(out, " %" PRIu64, l->base);
	for (size_t i = 0; i < l->n && r == 0; i++)
		r = (r = add_u64(out, l->rungs[i].offset)) == 0 ? add_hex64(out, l->rungs[i].crc)
								: r;
	return end(out, at, r);
}

int registry_add_past(struct buf *out, const struct past *p)
{
	size_t at = out->len;
	int r = begin(out, 'p', &p->id);
	if (r == 0)
		r = buf_printf(out,
			       " %016" PRIx64 " %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRIu64
			       " %" PRIu64 " %016" PRIx64 " %" PRIu64 " %016" PRIx64 " %" PRId64,
			       p->family, p->ino, p->btime_ns, p->start, p->base, p->head.offset,
			       p->head.crc, p->end.offset, p->end.crc, p->ended_s);
	return end(out, at, r);
}

int registry_add_forgotten(struct buf *out, const struct stream_id *id)
{
	size_t at = out->len;
	int r = begin(out, 'x', id);
	return end(out, at, r);
}

int registry_add_alive(struct buf *out, int64_t real_ns)
{
	size_t at = out->len;
	int r = buf_add(out, CRC_ROOM, CRC_HEX + 1);
	if (r == 0)
		r = buf_printf(out, "a %" PRId64, real_ns);
	return end(out, at, r);
}

/* --- reading --- */

/* The fields of a line from left to right; the first one that is wrong spoils all. */
struct fields {
	struct span left;
	bool bad;
};

static struct span next(struct fields *f)
{
	size_t n = span_find(f->left, ' ');
	struct span field = span_first(f->left, n);
	if (!n || n + 1 == f->left.len)
		f->bad = true; /* nothing, or nothing behind the blank */
	f->left = span_from(f->left, n < f->left.len ? n + 1 : n);
	return field;
}

static uint64_t next_u64(struct fields *f)
{
	uint64_t v = 0;
	if (num_parse_u64(next(f), &v) < 0)
		f->bad = true;
	return v;
}

static int64_t next_i64(struct fields *f)
{
	int64_t v = 0;
	if (num_parse_i64(next(f), &v) < 0)
		f->bad = true;
	return v;
}

static uint64_t next_hex(struct fields *f)
{
	uint64_t v = 0;
	if (num_parse_hex64(next(f), &v) < 0)
		f->bad = true;
	return v;
}

static bool next_bool(struct fields *f)
{
	uint64_t v = next_u64(f);
	if (v > 1)
		f->bad = true;
	return v == 1;
}

static struct stream_id next_id(struct fields *f)
{
	struct stream_id id = {{0}};
	if (stream_id_parse(next(f), &id) < 0)
		f->bad = true;
	return id;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Into `out`, as a C string. */
static const char *next_text(struct fields *f, struct buf *out)
{
	struct span text = next(f);
	out->max = TEXT_MAX;
	if (span_is(text, "%"))
		text.len = 0;
	for (size_t i = 0; i < text.len && !f->bad; i++) {
		char c = text.ptr[i];
		if (c == '%') {
			int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text.ptr[i + 2]) : -1;
			if (low < 0 || (high == 0 && low == 0)) {
				f->bad = true;
				break;
			}
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (buf_add_char(out, c) < 0)
			f->bad = true;
	}
	const char *s = buf_cstr(out);
	if (!s)
		f->bad = true;
	return s ? s : "";
}

static enum source_state next_state(struct fields *f)
{
	struct span name = next(f);
	for (int s = SOURCE_NEW; s <= SOURCE_ENDED; s++)
		if (span_is(name, source_state_name((enum source_state)s)))
			return (enum source_state)s;
	f->bad = true;
	return SOURCE_MISSING;
}

static bool has_flag(struct span flags, char flag)
{
	return span_find(flags, flag) < flags.len;
}

static int take_source(struct fields *f, struct source_table *t)
{
	struct buf input = BUF_EMPTY, path = BUF_EMPTY, service = BUF_EMPTY, instance = BUF_EMPTY;
	struct source_config c = {.missing = true};
	struct source *s;
	c.id = next_id(f);
	enum source_state was = next_state(f);
	struct span flags = next(f);
	int64_t created_ns = next_i64(f);
	c.start = next_u64(f);
	c.ino = next_u64(f);
	c.btime_ns = next_i64(f);
	c.dev = (dev_t)next_u64(f);
	uint64_t size = next_u64(f);
	const char *input_name = next_text(f, &input);
	c.path = next_text(f, &path);
	c.service = next_text(f, &service);
	c.instance = next_text(f, &instance);
	int r = f->bad || f->left.len ? -EBADMSG : 0;
	c.journal = has_flag(flags, 'j');
	if (r == 0) {
		s = source_by_id(t, &c.id);
		if (!s) {
			r = source_add(t, &c, &s);
		} else {
			if (!s->journal)
				source_set_file(t, s, c.ino, c.btime_ns, c.dev);
			r = source_set_path(t, s, c.path);
		}
	}
	if (r == 0) {
		free(s->input_name);
		s->input_name = strdup(input_name);
		s->was = was;
		s->born = has_flag(flags, 'b');
		s->early = !s->born;
		s->copied = has_flag(flags, 'c');
		s->compressed = has_flag(flags, 'z');
		s->between = has_flag(flags, 't');
		s->created_ns = created_ns;
		s->announced = true;
		s->size = s->sure_size = s->first_size = size;
	}
	buf_free(&input);
	buf_free(&path);
	buf_free(&service);
	buf_free(&instance);
	return r;
}

static int take_commit(struct fields *f, struct source_table *t)
{
	struct stream_id id = next_id(f);
	struct position at;
	struct buf frame = BUF_EMPTY;
	position_init(&at, 0);
	at.offset = next_u64(f);
	at.base = next_u64(f);
	at.crc = next_hex(f);
	uint64_t size = next_u64(f);
	bool born = next_bool(f);
	(void)next_text(f, &frame);
	struct source *s = source_by_id(t, &id);
	struct journal_place place = {0};
	bool journal =
		s ? s->journal != NULL : span_starts_with(buf_span(&frame), SPAN_LITERAL("j"));
	int r = journal ? stream_state_decode(buf_span(&frame), &place, &at.frame)
			: frame_state_decode(buf_span(&frame), &at.frame);
	bool bad = r < 0 || f->bad || f->left.len || at.base > at.offset;
	buf_free(&frame);
	if (bad)
		return -EBADMSG;
	if (s) {
		if (s->journal)
			s->journal->committed = place;
		source_place(t, s, &at);
		s->size = s->sure_size = s->first_size = size;
		s->born = born;
	}
	return 0;
}

static int take_ladder(struct fields *f, struct source_table *t)
{
	struct stream_id id = next_id(f);
	uint64_t base = next_u64(f);
	struct source *s = source_by_id(t, &id);
	struct ladder l = {0};
	while (f->left.len && !f->bad) {
		uint64_t offset = next_u64(f);
		ladder_add(&l, base, offset, next_hex(f));
	}
	if (f->bad || !s) {
		ladder_free(&l);
		return f->bad ? -EBADMSG : 0;
	}
	ladder_free(&s->ladder);
	s->ladder = l;
	return 0;
}

static int take_past(struct fields *f, struct source_table *t)
{
	struct past p = {.id = next_id(f)};
	p.family = next_hex(f);
	p.ino = next_u64(f);
	p.btime_ns = next_i64(f);
	p.start = next_u64(f);
	p.base = next_u64(f);
	p.head.offset = next_u64(f);
	p.head.crc = next_hex(f);
	p.end.offset = next_u64(f);
	p.end.crc = next_hex(f);
	p.ended_s = next_i64(f);
	if (f->bad || f->left.len)
		return -EBADMSG;
	struct source *s = source_by_id(t, &p.id);
	if (s)
		source_drop(t, s);
	past_add(source_past(t), &p);
	return 0;
}

static int take_forgotten(struct fields *f, struct source_table *t)
{
	struct stream_id id = next_id(f);
	if (f->bad || f->left.len)
		return -EBADMSG;
	struct source *s = source_by_id(t, &id);
	if (s)
		source_drop(t, s);
	return 0;
}

static int take_alive(struct fields *f, int64_t *alive_ns)
{
	int64_t real_ns = next_i64(f);
	if (f->bad || f->left.len)
		return -EBADMSG;
	*alive_ns = real_ns;
	return 0;
}

int registry_take_line(struct span line, struct source_table *t, int64_t *alive_ns)
{
	uint64_t crc;
	if (line.len < CRC_HEX + 3 || line.ptr[CRC_HEX] != ' ' ||
	    num_parse_hex64(span_first(line, CRC_HEX), &crc) < 0)
		return -EBADMSG;
	struct span text = span_from(line, CRC_HEX + 1);
	if (crc64_add(CRC64_EMPTY, text.ptr, text.len) != crc || text.ptr[1] != ' ')
		return -EBADMSG;
	struct fields f = {.left = span_from(text, 2)};
	switch (text.ptr[0]) {
	case 's': return take_source(&f, t);
	case 'c': return take_commit(&f, t);
	case 'r': return take_ladder(&f, t);
	case 'p': return take_past(&f, t);
	case 'x': return take_forgotten(&f, t);
	case 'a': return take_alive(&f, alive_ns);
	default: return -EBADMSG;
	}
}
