/* Replay: see replay.h. Recovery calls it for each record past the ledger's position, in order. */
#include "collector/store/replay.h"

#include "common/gzip.h"
#include "common/log.h"

#include <errno.h>

void replay_free(struct replay *r)
{
	buf_free(&r->meta);
	buf_free(&r->body);
	buf_free(&r->inflated);
	buf_free(&r->kept);
}

static int read_meta(struct replay *r, const struct wal_entry *e)
{
	buf_clear(&r->meta);
	return wal_read_meta(r->s->tree_wal, r->log, e, &r->meta);
}

static int read_batch(struct replay *r, const struct wal_entry *e, struct walrecord_batch *ret)
{
	int x = read_meta(r, e);
	return x < 0 ? x : walrecord_decode_batch(buf_span(&r->meta), ret);
}

/* --- planning --- */

int replay_plan_moves(struct replay *r, const struct wal_entry *e)
{
	if (e->head.type != WALRECORD_MOVE)
		return 0;
	struct walrecord_move m;
	int x = read_meta(r, e);
	if (x == 0)
		x = walrecord_decode_move(buf_span(&r->meta), &m);
	return x == 0 ? restore_move(r->restore, &m) : x;
}

int replay_plan_lines(struct replay *r, const struct wal_entry *e)
{
	if (e->head.type != WALRECORD_BATCH)
		return 0;
	struct walrecord_batch b;
	int x = read_batch(r, e, &b);
	if (x < 0)
		return x;
	for (size_t i = 0; x == 0 && i < b.n_chunks; i++)
		for (size_t k = 0; x == 0 && k < b.chunks[i].n_lines; k++)
			x = restore_expect(r->restore, b.chunks[i].header.service, b.host,
					   &b.chunks[i].lines[k]);
	walrecord_batch_free(&b);
	return x;
}

bool replay_stands(struct replay *r, const struct wal_entry *e)
{
	struct walrecord_batch b;
	if (e->head.type != WALRECORD_BATCH || read_batch(r, e, &b) < 0)
		return false;
	bool stands = false;
	for (size_t i = 0; !stands && i < b.n_chunks; i++)
		for (size_t k = 0; !stands && k < b.chunks[i].n_lines; k++)
			stands = b.chunks[i].lines[k].length &&
				 restore_stood(r->s, b.chunks[i].header.service, b.host,
					       &b.chunks[i].lines[k]);
	walrecord_batch_free(&b);
	return stands;
}

/* --- streams --- */

static struct stream *make_stream(struct replay *r, struct host *host,
				  const struct walrecord_chunk *c)
{
	struct stream *s = stream_new(host, &c->header);
	if (!s || streams_add(&r->s->streams, s) < 0) {
		stream_free(s);
		return NULL;
	}
	s->row = ++r->s->last_stream_row;
	s->born_us = c->terms.received_us;
	return s;
}

/* The record that brought the stream to this chunk's `from` is missing. */
static int jump(struct stream *s, const struct chunk *c)
{
	char id[STREAM_ID_HEX];
	stream_id_format(id, &s->id);
	struct span path = stream_path(s);
	if (c->from > s->offset)
		log_error("host %s, %.*s (stream %.*s): source bytes %llu to %llu are a gap: their "
			  "record "
			  "is damaged and their lines cannot be proven to stand here",
			  s->host->name, (int)path.len, path.ptr, STREAM_ID_HEX, id,
			  (unsigned long long)s->offset, (unsigned long long)c->from);
	return stream_jump(s, c);
}

/* How the verdict of the record fits the stream as it is here. */
static int fit(struct stream *s, const struct walrecord_chunk *c, enum stream_judgement *ret)
{
	const struct chunk *h = &c->header;
	*ret = c->how;
	if (c->how == STREAM_REPAIR) {
		if (stream_judge(s, h) != STREAM_REPAIR)
			*ret = STREAM_DUPLICATE; /* the gap is not known here: only the lines count */
		return 0;
	}
	if (h->from < s->offset) {
		*ret = STREAM_DUPLICATE;
		return 0;
	}
	return h->from == s->offset && h->crc_from == s->crc ? 0 : jump(s, h);
}

static int apply_chunk(struct replay *r, struct host *host, const struct walrecord_chunk *c,
		       uint64_t stored)
{
	const struct chunk *h = &c->header;
	struct stream *s = streams_find(&r->s->streams, host, &h->stream);
	/* It was forgotten since, and is born anew. */
	if (s && c->how == STREAM_BIRTH && s->offset > h->start) {
		if (streams_forget(&r->s->streams, s) < 0)
			return -ENOMEM;
		s = NULL;
	}
	if (!s)
		s = make_stream(r, host, c);
	int x = s ? stream_prepare(s, h) : -ENOMEM;
	enum stream_judgement how = STREAM_DUPLICATE;
	if (x == 0)
		x = fit(s, c, &how);
	if (x == 0 && h->loss.len)
		x = judge_note_loss(r->s, host, h, c->terms.received_us);
	if (x < 0)
		return x;
	bool was_ended = s->ended;
	if (stream_taken(how))
		x = stream_apply(s, h, how, stored, c->terms.received_us, c->identity);
	streams_changed(&r->s->streams, s, was_ended);
	judge_count(r->s, host, h, stored);
	return x;
}

/* --- lines --- */

static uint64_t stored_bytes(const struct walrecord_chunk *c)
{
	uint64_t bytes = 0;
	for (size_t k = 0; k < c->n_lines; k++)
		bytes += c->lines[k].length;
	return bytes;
}

/* Are these the bytes that the record was written for? */
static bool same(const struct walrecord_chunk *c, const struct rendered_chunk *rendered)
{
	if (rendered->n_days != c->n_lines)
		return false;
	for (size_t k = 0; k < c->n_lines; k++)
		if (rendered->days[k].day != c->lines[k].day ||
		    rendered->days[k].bytes.len != c->lines[k].length ||
		    rendered->days[k].crc != c->lines[k].crc)
			return false;
	return true;
}

/* 1: written; 0: the body does not have these lines. */
static int write_rendered(struct replay *r, struct span host, const struct walrecord_chunk *c,
			  const struct batch *batch)
{
	if (c->index >= batch->n_chunks)
		return 0;
	struct rendered_chunk rendered;
	int x = render_chunk(&batch->chunks[c->index], host, c->terms, &rendered);
	if (x < 0)
		return x == -ENOMEM ? x : 0;
	bool fine = same(c, &rendered);
	for (size_t k = 0; fine && x == 0 && k < c->n_lines; k++)
		x = restore_write(r->restore, c->header.service, host, &c->lines[k],
				  buf_span(&rendered.days[k].bytes));
	rendered_chunk_free(&rendered);
	return x < 0 ? x : fine;
}

/* All its lines stand on disk already: they are written over themselves, for what is in the page
 * cache need not be on the disk. 1: they do; 0: they do not. */
static int keep_standing(struct replay *r, struct span host, const struct walrecord_chunk *c)
{
	buf_clear(&r->kept);
	for (size_t k = 0; k < c->n_lines; k++)
		if (!restore_stands(r->restore, c->header.service, host, &c->lines[k], &r->kept))
			return 0;
	struct span rest = buf_span(&r->kept);
	for (size_t k = 0; k < c->n_lines; k++) {
		size_t len = (size_t)c->lines[k].length;
		int x = restore_write(r->restore, c->header.service, host, &c->lines[k],
				      span_first(rest, len));
		if (x < 0)
			return x;
		rest = span_from(rest, len);
	}
	return 1;
}

static void say_lost(const struct replay *r, struct span host, const struct walrecord_chunk *c)
{
	char id[STREAM_ID_HEX];
	stream_id_format(id, &c->header.stream);
	log_error("WAL record %llu is damaged: host %.*s, stream %.*s, source bytes %llu to %llu "
		  "(%llu "
		  "lines) are not here; the agent is asked for them again",
		  (unsigned long long)r->records, (int)host.len, host.ptr, STREAM_ID_HEX, id,
		  (unsigned long long)c->header.from, (unsigned long long)c->header.to,
		  (unsigned long long)c->header.lines);
}

static int replay_chunk(struct replay *r, const struct walrecord_batch *b,
			const struct walrecord_chunk *c, const struct batch *batch)
{
	struct host *host = hosts_get(&r->s->hosts, b->host);
	if (!host)
		return -ENOMEM;
	int x = batch ? write_rendered(r, b->host, c, batch) : 0;
	if (x == 0)
		x = keep_standing(r, b->host, c);
	if (x < 0)
		return x;
	if (x == 0) {
		r->chunks_lost++;
		say_lost(r, b->host, c);
		return 0;
	}
	return apply_chunk(r, host, c, stored_bytes(c));
}

/* --- records --- */

/* The body taken apart as it was when it came; false when it is not what it was. */
static int read_body(struct replay *r, const struct wal_entry *e, const struct walrecord_batch *b,
		     struct batch *ret, bool *ret_good)
{
	*ret_good = false;
	if (e->state != WAL_ENTRY_GOOD)
		return 0;
	buf_clear(&r->body);
	buf_clear(&r->inflated);
	int x = wal_read_body(r->s->tree_wal, r->log, e, &r->body);
	if (x < 0)
		return x;
	struct gzip_limits limits = {.inflated_max = (size_t)b->inflated};
	x = gzip_inflate(buf_span(&r->body), limits, &r->inflated);
	char why[8];
	if (x == 0)
		x = batch_parse(buf_span(&r->inflated), ret, why, sizeof(why));
	*ret_good = x == 0;
	return x == -ENOMEM ? x : 0;
}

static int replay_batch(struct replay *r, const struct wal_entry *e)
{
	struct walrecord_batch b;
	int x = read_batch(r, e, &b);
	if (x < 0)
		return x;
	struct batch batch;
	bool good;
	x = read_body(r, e, &b, &batch, &good);
	for (size_t i = 0; x == 0 && i < b.n_chunks; i++)
		x = replay_chunk(r, &b, &b.chunks[i], good ? &batch : NULL);
	struct host *host = hosts_find(&r->s->hosts, b.host);
	if (x == 0 && host && b.n_chunks)
		host->last_contact_us = b.chunks[0].terms.received_us;
	if (good)
		batch_free(&batch);
	walrecord_batch_free(&b);
	return x;
}

static int replay_session(struct replay *r, const struct wal_entry *e)
{
	struct session session = {0};
	int x = read_meta(r, e);
	if (x == 0)
		x = walrecord_decode_session(buf_span(&r->meta), &session);
	if (x < 0)
		return x;
	struct host *host = hosts_get(&r->s->hosts, session.host);
	return host ? session_open(&r->s->hosts, host, &session) : -ENOMEM;
}

int replay_entry(struct replay *r, const struct wal_entry *e)
{
	r->records = e->head.lsn;
	switch ((enum walrecord_type)e->head.type) {
	case WALRECORD_BATCH: return replay_batch(r, e);
	case WALRECORD_SESSION: return replay_session(r, e);
	case WALRECORD_MOVE: return 0; /* planned for */
	}
	return -EBADMSG;
}
