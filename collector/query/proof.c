/* Proofs: see proof.h. Called by verify.c, once a stream.
 *
 * A stream's bytes are proven up to its offset, but for gaps and losses: the collector took each
 * chunk only where the one before ended, by offset and checksum. The checksum that the ledger has
 * covers [base, offset); a loss begins a new one, so of what is before it only the ranges are
 * told. */
#include "collector/query/proof.h"

#include "collector/query/style.h"
#include "common/array.h"
#include "common/json.h"
#include "common/num.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- ranges --- */

static int add_range(struct proof *p, struct proof_range range)
{
	if (range.from == range.to)
		return 0;
	int r = array_room(&p->ranges, p->n, &p->capacity, sizeof(*p->ranges));
	if (r < 0)
		return r;
	p->ranges[p->n++] = range;
	uint64_t bytes = range.to - range.from;
	if (range.proven)
		p->proven_bytes += bytes;
	else if (range.hole == PROOF_LOST)
		p->lost_bytes += bytes;
	else
		p->gap_bytes += bytes;
	return 0;
}

/* A hole behind all that was added, with what is proven before it. */
static int add_hole(struct proof *p, uint64_t *at, struct proof_range hole)
{
	if (hole.from < *at)
		hole.from = *at;
	if (hole.to <= hole.from)
		return 0;
	int r = add_range(p, (struct proof_range){.from = *at, .to = hole.from, .proven = true});
	*at = hole.to;
	return r < 0 ? r : add_range(p, hole);
}

int proof_make(struct proof *p, const struct account_stream *s)
{
	uint64_t at = s->start;
	size_t gap = 0, loss = 0;
	int r = 0;
	p->stream = s;
	p->n = 0;
	p->proven_bytes = p->lost_bytes = p->gap_bytes = 0;
	if (!s->known && s->n_losses)
		at = s->losses[0].from;
	while (r == 0 && (gap < s->n_gaps || loss < s->n_losses)) {
		bool is_gap = loss == s->n_losses ||
			      (gap < s->n_gaps && s->gaps[gap].from < s->losses[loss].from);
		struct proof_range hole = {.hole = is_gap ? PROOF_GAP : PROOF_LOST};
		if (is_gap) {
			hole.from = s->gaps[gap].from;
			hole.to = s->gaps[gap++].to;
		} else {
			hole.loss = &s->losses[loss++];
			hole.from = hole.loss->from;
			hole.to = hole.loss->to;
		}
		/* Of a stream that is not known nothing between its losses is proven. */
		if (!s->known)
			at = hole.from > at ? hole.from : at;
		r = add_hole(p, &at, hole);
	}
	if (r == 0 && s->known && at < s->offset)
		r = add_range(p, (struct proof_range){.from = at, .to = s->offset, .proven = true});
	return r;
}

void proof_free(struct proof *p)
{
	free(p->ranges);
	*p = (struct proof){0};
}

/* --- words --- */

int proof_add_time(struct buf *out, int64_t us)
{
	char text[CIVIL_TIME_LEN];
	if (us < CIVIL_MIN_US || us > CIVIL_MAX_US)
		return buf_add_char(out, '-');
	civil_format_us(text, us);
	int r = buf_add(out, text, 19);
	return r < 0 ? r : buf_add_char(out, 'Z');
}

static int add_crc(struct buf *out, uint64_t crc)
{
	char text[16];
	num_format_hex64(text, crc);
	return buf_add(out, text, sizeof(text));
}

static int put(int r, struct buf *out, const char *text)
{
	return r < 0 ? r : buf_add_str(out, text);
}

/* --- text --- */

static int add_proven(struct buf *out, const struct proof *p)
{
	const char *before = "bytes ";
	int r = 0;
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		if (!p->ranges[i].proven)
			continue;
		r = buf_printf(out, "%s%" PRIu64 " to %" PRIu64, before, p->ranges[i].from,
			       p->ranges[i].to);
		before = ", ";
	}
	if (p->proven_bytes == 0)
		return put(r, out, "no byte proven");
	return put(r, out, " proven");
}

static int add_checksum(struct buf *out, const struct account_stream *s)
{
	int r = buf_add_str(out, ", crc ");
	if (r == 0)
		r = add_crc(out, s->crc);
	if (r == 0 && s->base != s->start)
		r = buf_printf(out, " of %" PRIu64 " to %" PRIu64, s->base, s->offset);
	return r;
}

static int add_known(struct buf *out, const struct proof *p)
{
	const struct account_stream *s = p->stream;
	int r = add_proven(out, p);
	if (r == 0 && s->offset > s->base)
		r = add_checksum(out, s);
	if (r == 0)
		r = buf_printf(out, "; %" PRIu64 " lines", s->lines);
	if (r == 0 && s->dropped)
		r = buf_printf(out, ", %" PRIu64 " left out by filters", s->dropped);
	r = put(r, out, s->ended ? "; ended, " : "; live, ");
	if (r == 0)
		r = proof_add_time(out, s->born_us);
	r = put(r, out, " to ");
	return r < 0 ? r : proof_add_time(out, s->last_us);
}

static int add_hole_text(struct buf *out, const struct proof_range *range)
{
	int r = buf_printf(out, "    %s bytes %" PRIu64 " to %" PRIu64 ": ",
			   range->hole == PROOF_GAP ? "gap " : "lost", range->from, range->to);
	if (range->hole == PROOF_GAP)
		return put(r, out, "the collector's log was damaged there\n");
	if (r == 0)
		r = style_add_harmless(out, span_of(range->loss->cause));
	r = put(r, out, ", told ");
	if (r == 0)
		r = proof_add_time(out, range->loss->time_us);
	return put(r, out, "\n");
}

static int add_service(struct buf *out, const struct account_stream *s)
{
	int r = buf_add_span(out, s->service);
	if (r == 0 && s->instance.len)
		r = buf_add_char(out, '/');
	return r < 0 ? r : buf_add_span(out, s->instance);
}

/* The head of a group, then its streams. */
static int print_group(struct proof_group *g, struct printer *out)
{
	struct buf *b = &out->out;
	int r = 0;
	if (!g->streams)
		return 0;
	if (out->colour)
		r = buf_add_str(b, g->losses || g->gaps ? STYLE_ERROR : STYLE_BOLD);
	if (r == 0)
		r = style_add_harmless(b, span_of(g->host));
	r = put(r, b, " ");
	if (r == 0)
		r = style_add_harmless(b, span_of(g->path));
	r = put(r, b, " (");
	if (r == 0)
		r = style_add_harmless(b, buf_span(&g->service));
	r = put(r, b, g->losses || g->gaps ? "): NOT complete" : "): complete");
	if (r == 0 && g->streams > 1)
		r = buf_printf(b, ", %" PRIu64 " files of this name one after another", g->streams);
	r = put(r, b, out->colour ? STYLE_RESET "\n" : "\n");
	if (r == 0)
		r = buf_add_span(b, buf_span(&g->text));
	buf_clear(&g->text);
	g->streams = g->losses = g->gaps = 0;
	return r < 0 || b->len < 65536 ? r : printer_flush(out);
}

static bool same_group(const struct proof_group *g, const struct account_stream *s)
{
	return g->streams && span_is(s->host, g->host) && span_is(s->path, g->path);
}

static int begin_group(struct proof_group *g, const struct account_stream *s)
{
	free(g->host);
	free(g->path);
	g->host = strndup(s->host.len ? s->host.ptr : "", s->host.len);
	g->path = strndup(s->path.len ? s->path.ptr : "", s->path.len);
	buf_clear(&g->service);
	return g->host && g->path ? add_service(&g->service, s) : -ENOMEM;
}

int proof_print_text(struct proof_group *g, struct printer *out, const struct proof *p)
{
	int r = 0;
	if (!same_group(g, p->stream)) {
		r = print_group(g, out);
		if (r == 0)
			r = begin_group(g, p->stream);
	}
	r = put(r, &g->text, "  ");
	if (r == 0)
		r = p->stream->known ? add_known(&g->text, p)
				     : buf_add_str(&g->text, "only losses are on record");
	r = put(r, &g->text, "\n");
	for (size_t i = 0; r == 0 && i < p->n; i++)
		if (!p->ranges[i].proven)
			r = add_hole_text(&g->text, &p->ranges[i]);
	g->streams++;
	g->losses += p->lost_bytes > 0;
	g->gaps += p->gap_bytes > 0;
	return r;
}

int proof_print_end(struct proof_group *g, struct printer *out)
{
	int r = print_group(g, out);
	return r < 0 ? r : printer_flush(out);
}

void proof_group_free(struct proof_group *g)
{
	free(g->host);
	free(g->path);
	buf_free(&g->service);
	buf_free(&g->text);
}

/* --- JSON --- */

static int add_member(int r, struct buf *out, const char *name, struct span value)
{
	r = put(r, out, name);
	return r < 0 ? r : json_add_string(out, value);
}

static int add_number(int r, struct buf *out, const char *name, uint64_t value)
{
	return r < 0 ? r : buf_printf(out, "%s%" PRIu64, name, value);
}

static int add_identity(struct buf *out, const struct account_stream *s)
{
	char id[STREAM_ID_HEX];
	stream_id_format(id, &s->id);
	int r = add_member(0, out, "{\"type\":\"stream\",\"host\":", s->host);
	r = add_member(r, out, ",\"path\":", s->path);
	r = add_member(r, out, ",\"service\":", s->service);
	r = add_member(r, out, ",\"instance\":", s->instance);
	r = add_member(r, out, ",\"stream\":", span_make(id, sizeof(id)));
	r = add_number(r, out, ",\"ino\":\"", s->ino);
	return put(r, out, "\"");
}

static int add_position(struct buf *out, const struct account_stream *s)
{
	int r = add_number(0, out, ",\"start\":", s->start);
	r = add_number(r, out, ",\"base\":", s->base);
	r = add_number(r, out, ",\"offset\":", s->offset);
	r = put(r, out, ",\"crc\":\"");
	if (r == 0)
		r = add_crc(out, s->crc);
	r = add_number(r, out, "\",\"lines\":", s->lines);
	r = add_number(r, out, ",\"dropped\":", s->dropped);
	r = put(r, out,
		s->ended ? ",\"ended\":true,\"first\":\"" : ",\"ended\":false,\"first\":\"");
	if (r == 0)
		r = proof_add_time(out, s->born_us);
	r = put(r, out, "\",\"last\":\"");
	if (r == 0)
		r = proof_add_time(out, s->last_us);
	return put(r, out, "\"");
}

static int add_hole_json(struct buf *out, const struct proof_range *range)
{
	int r = add_number(0, out, "{\"from\":", range->from);
	r = add_number(r, out, ",\"to\":", range->to);
	if (range->hole == PROOF_LOST) {
		r = add_member(r, out, ",\"cause\":", span_of(range->loss->cause));
		r = put(r, out, ",\"time\":\"");
		if (r == 0)
			r = proof_add_time(out, range->loss->time_us);
		r = put(r, out, "\"");
	}
	return put(r, out, "}");
}

static int add_ranges(struct buf *out, const struct proof *p)
{
	const char *before = ",\"proven\":[";
	int r = 0;
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		if (!p->ranges[i].proven)
			continue;
		r = buf_printf(out, "%s[%" PRIu64 ",%" PRIu64 "]", before, p->ranges[i].from,
			       p->ranges[i].to);
		before = ",";
	}
	return put(r, out, p->proven_bytes ? "]" : ",\"proven\":[]");
}

static int add_holes(struct buf *out, const struct proof *p, enum proof_hole which,
		     const char *name)
{
	const char *before = "";
	int r = put(0, out, name);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		if (p->ranges[i].proven || p->ranges[i].hole != which)
			continue;
		r = buf_add_str(out, before);
		if (r == 0)
			r = add_hole_json(out, &p->ranges[i]);
		before = ",";
	}
	return put(r, out, "]");
}

int proof_print_json(struct printer *out, const struct proof *p)
{
	struct buf *b = &out->out;
	int r = add_identity(b, p->stream);
	if (r == 0 && p->stream->known)
		r = add_position(b, p->stream);
	if (r == 0)
		r = add_ranges(b, p);
	if (r == 0)
		r = add_holes(b, p, PROOF_GAP, ",\"gaps\":[");
	if (r == 0)
		r = add_holes(b, p, PROOF_LOST, ",\"losses\":[");
	r = put(r, b, proof_complete(p) ? ",\"complete\":true}\n" : ",\"complete\":false}\n");
	return r < 0 || b->len < 65536 ? r : printer_flush(out);
}
