/* Judging: what is decided about a batch in the moment it gets its turn. Called by any thread
 * through store_submit.
 *
 * Everything that takes time was done before (inflating, checking, rendering, the body's checksum,
 * the memory for the outcome); under the lock there are a few comparisons and a place for each
 * chunk. In that moment the batch is put into the queue, so that its record, its answer and its
 * lines keep that turn. What the streams say from then on is tentative until the record is durable;
 * nobody is told before, for all answers wait in the same queue.
 *
 * Memory that runs out in the middle, or a place that is blocked, makes a chunk a conflict: nothing
 * of it has happened, and its agent comes again from the durable offset. */
#include "collector/store/core.h"

#include "common/clock.h"
#include "common/crc64.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* --- submissions --- */

struct submission *submission_new(void)
{
	struct submission *sub = calloc(1, sizeof(*sub));
	if (sub)
		sub->refs = 1;
	return sub;
}

void submission_unref(struct submission *sub)
{
	if (!sub || __atomic_sub_fetch(&sub->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (sub->rendered)
		for (size_t i = 0; i < sub->batch.n_chunks; i++)
			rendered_chunk_free(&sub->rendered[i]);
	free(sub->rendered);
	batch_free(&sub->batch);
	buf_free(&sub->body);
	buf_free(&sub->gzip_body);
	free(sub->terms);
	free(sub->verdicts);
	free(sub->order);
	void (*released)(void *user) = sub->released;
	void *user = sub->released_user;
	free(sub);
	if (released)
		released(user);
}

/* Room for whatever judging may decide. NULL when memory is short. */
static struct order *order_new(const struct submission *sub)
{
	size_t n_lines = 0;
	uint64_t bytes = sub->gzip_body.len;
	for (size_t i = 0; i < sub->batch.n_chunks; i++) {
		n_lines += sub->rendered[i].n_days;
		for (size_t k = 0; k < sub->rendered[i].n_days; k++)
			bytes += sub->rendered[i].days[k].bytes.len;
	}
	size_t chunks_size = sub->batch.n_chunks * sizeof(struct order_chunk);
	struct order *o =
		calloc(1, sizeof(*o) + chunks_size + n_lines * sizeof(struct order_lines));
	if (!o)
		return NULL;
	static_assert(_Alignof(struct order_lines) <= _Alignof(struct order_chunk),
		      "the lines stand behind the chunks");
	o->lines = (struct order_lines *)(void *)&o->chunks[sub->batch.n_chunks];
	o->bytes = bytes;
	o->body_crc = crc64_add(CRC64_EMPTY, sub->gzip_body.ptr, sub->gzip_body.len);
	return o;
}

/* --- what a taken chunk changes beside its stream --- */

static int keep_text(struct loss *loss, const struct chunk *c)
{
	char *text = malloc(c->service.len + c->path.len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, c->service.ptr, c->service.len);
	if (c->path.len)
		memcpy(text + c->service.len, c->path.ptr, c->path.len);
	loss->text = text;
	loss->service = span_make(text, c->service.len);
	loss->path = span_make(text + c->service.len, c->path.len);
	return 0;
}

int judge_note_loss(struct store *s, const struct host *host, const struct chunk *c,
		    int64_t received_us)
{
	if (s->n_losses == s->losses_capacity) {
		size_t capacity = s->losses_capacity ? s->losses_capacity * 2 : 16;
		struct loss *losses = realloc(s->losses, capacity * sizeof(*losses));
		if (!losses)
			return -ENOMEM;
		s->losses = losses;
		s->losses_capacity = capacity;
	}
	struct loss *loss = &s->losses[s->n_losses];
	*loss = (struct loss){.stream = c->stream,
			      .host = host->name,
			      .from = c->from,
			      .to = c->to,
			      .time_us = received_us};
	assert(c->loss.len <= CHUNK_LOSS_MAX);
	memcpy(loss->cause, c->loss.ptr, c->loss.len);
	int r = keep_text(loss, c);
	if (r == 0)
		s->n_losses++;
	return r;
}

void judge_count(struct store *s, struct host *host, const struct chunk *c, uint64_t stored)
{
	host->lines += c->lines;
	host->bytes += stored;
	hosts_changed(&s->hosts, host);
	s->counters.lines += c->lines;
	s->counters.rendered_bytes += stored;
	if (c->loss.len) {
		s->counters.losses++;
		s->counters.lost_bytes += c->to - c->from;
		host->lost_bytes += c->to - c->from;
	}
}

/* --- judging --- */

struct judging {
	struct store *s;
	struct submission *sub;
	struct order *order;
	struct host *host;
	int64_t mono_ns;
	bool segment_full;
};

/* The shards of all days of the chunk, written to the order behind the lines that are there.
 * -EROFS: a place of one of them is blocked. */
static int find_shards(struct judging *j, size_t i)
{
	const struct chunk *c = &j->sub->batch.chunks[i].header;
	struct rendered_chunk *rendered = &j->sub->rendered[i];
	struct order_lines *lines = j->order->lines + j->order->n_lines;
	for (size_t k = 0; k < rendered->n_days; k++) {
		int32_t day = rendered->days[k].day;
		struct span host = span_of(j->host->name);
		struct shard *shard = shards_find(&j->s->shards, day, c->service, host);
		if (shard ? shard->blocked : blocked_for(&j->s->blocked, day, c->service))
			return -EROFS;
		if (!shard) {
			shard = shards_get(&j->s->shards, day, c->service, host);
			if (!shard)
				return -ENOMEM;
			limits_count_shard(j->host, j->sub->terms[i].received_us);
		}
		lines[k] = (struct order_lines){.shard = shard, .rendered = &rendered->days[k]};
	}
	return 0;
}

static int find_stream(struct judging *j, const struct chunk *c, struct stream **stream)
{
	if (*stream)
		return stream_prepare(*stream, c);
	struct stream *s = stream_new(j->host, c);
	int r = s ? streams_add(&j->s->streams, s) : -ENOMEM;
	if (r < 0) {
		stream_free(s);
		return r;
	}
	s->row = ++j->s->last_stream_row;
	*stream = s;
	return 0;
}

static uint64_t place_lines(struct judging *j, size_t n)
{
	struct order_lines *lines = j->order->lines + j->order->n_lines;
	uint64_t stored = 0;
	for (size_t k = 0; k < n; k++) {
		uint64_t len = lines[k].rendered->bytes.len;
		lines[k].place = shard_place(&j->s->shards, lines[k].shard, len, j->mono_ns);
		stored += len;
		if (lines[k].shard->next.position >= j->s->config.segment_bytes)
			j->segment_full = true;
	}
	j->order->n_lines += n;
	return stored;
}

/* First everything that can fail, then what cannot. */
static int take(struct judging *j, size_t i, struct stream **stream, enum stream_judgement how)
{
	struct store *s = j->s;
	const struct chunk *c = &j->sub->batch.chunks[i].header;
	int64_t received_us = j->sub->terms[i].received_us;
	int r = find_shards(j, i);
	s->counters.blocked_chunks += r == -EROFS;
	if (r == 0)
		r = find_stream(j, c, stream);
	if (r == 0 && c->loss.len)
		r = judge_note_loss(s, j->host, c, received_us);
	if (r < 0)
		return r;

	struct order_chunk *o = &j->order->chunks[i];
	o->how = how;
	o->n_lines = j->sub->rendered[i].n_days;
	o->identity = how == STREAM_BIRTH || stream_identity_differs(*stream, c);
	uint64_t stored = place_lines(j, o->n_lines);
	bool was_ended = (*stream)->ended;
	if (stream_apply(*stream, c, how, stored, received_us, o->identity) < 0)
		o->identity = false; /* it stays as it was, here and in the record */
	streams_changed(&s->streams, *stream, was_ended);
	judge_count(s, j->host, c, stored);
	j->order->n_taken++;
	return 0;
}

static enum chunk_status judge_chunk(struct judging *j, size_t i, struct stream **stream,
				     const char **ret_refused)
{
	const struct batch_chunk *chunk = &j->sub->batch.chunks[i];
	j->order->chunks[i].how = STREAM_CONFLICT;
	*ret_refused = chunk->refused;
	if (chunk->refused)
		return CHUNK_REFUSED;
	enum stream_judgement how = stream_judge(*stream, &chunk->header);
	if (how == STREAM_DUPLICATE)
		return CHUNK_DUPLICATE;
	if (how == STREAM_CONFLICT)
		return CHUNK_CONFLICT;
	return take(j, i, stream, how) == 0 ? CHUNK_COMMITTED : CHUNK_CONFLICT;
}

static void count_status(struct store_counters *n, enum chunk_status status)
{
	n->chunks++;
	switch (status) {
	case CHUNK_COMMITTED: n->committed++; break;
	case CHUNK_DUPLICATE: n->duplicates++; break;
	case CHUNK_CONFLICT: n->conflicts++; break;
	case CHUNK_REFUSED: n->refused++; break;
	}
}

/* A stream that is not there stands where its first chunk would begin it. */
static void say(struct chunk_verdict *v, const struct chunk *c, const struct stream *stream,
		enum chunk_status status, const char *refused)
{
	*v = (struct chunk_verdict){
		.stream = c->stream,
		.status = status,
		.offset = stream ? stream->offset : c->start,
		.crc = stream ? stream->crc : CRC64_EMPTY,
		.error = refused,
	};
}

static void judge_all(struct judging *j)
{
	struct submission *sub = j->sub;
	for (size_t i = 0; i < sub->batch.n_chunks; i++) {
		const struct chunk *c = &sub->batch.chunks[i].header;
		struct stream *stream = streams_find(&j->s->streams, j->host, &c->stream);
		const char *refused;
		enum chunk_status status = judge_chunk(j, i, &stream, &refused);
		say(&sub->verdicts[i], c, stream, status, refused);
		count_status(&j->s->counters, status);
	}
}

void store_submit(struct store *s, struct submission *sub)
{
	struct judging j = {.s = s, .sub = sub, .mono_ns = clock_mono_ns()};
	(void)__atomic_add_fetch(&sub->refs, 1, __ATOMIC_ACQ_REL);
	sub->store = s;
	sub->order = j.order = order_new(sub);
	sub->result = j.order ? 0 : -EIO;
	if (j.order)
		room_promise(&s->room, j.order->bytes);

	(void)pthread_mutex_lock(&s->lock);
	j.host = hosts_find(&s->hosts, span_of(sub->host));
	if (sub->result == 0 && (!j.host || sub->session != j.host->session))
		sub->result = -ESTALE;
	if (sub->result == 0 && s->failure == 0 && limits_beyond(s, j.host, sub)) {
		sub->result = -EDQUOT;
		sub->beyond = j.host->beyond;
		s->counters.beyond_limits++;
	}
	if (sub->result == 0 && s->failure == 0) {
		judge_all(&j);
		if (sub->batch.n_chunks)
			j.host->last_contact_us = sub->terms[0].received_us;
		s->counters.batches++;
		s->counters.payload_bytes += sub->batch.payload_bytes;
		if (sub->batch.n_chunks)
			host_note_bytes(j.host, sub->batch.payload_bytes,
					sub->terms[0].received_us);
	}
	s->counters.queued_submissions++;
	s->counters.queued_bytes += j.order ? j.order->bytes : 0;
	bool record = j.order && j.order->n_taken;
	store_enqueue(s, &sub->item, ITEM_BATCH, record);
	if (record)
		checkpoint_note(s, j.order->bytes - sub->gzip_body.len, j.segment_full);
	(void)pthread_mutex_unlock(&s->lock);
}
