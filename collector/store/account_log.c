/* The log beyond the copy: see account_log.h. Called by account.c.
 *
 * What recovery does with streams, without touching anything: each record's chunks are judged again
 * and applied to the streams that they name. A record counts when it is whole, follows the one
 * before, and says what judging it anew says; the first that does not ends the reading. At the end
 * of the log that is a record that is being written; before its end it is damage, and what that
 * means is the collector's to find out.
 *
 * The collector goes on meanwhile, and drops log files that a newer copy of the ledger has made
 * unnecessary: then there is a hole behind the copy that was read, and -EAGAIN. */
#include "collector/store/account_log.h"

#include "collector/store/sql.h"
#include "collector/store/stream.h"
#include "collector/store/tree.h"
#include "collector/store/wal_scan.h"
#include "collector/store/walrecord.h"
#include "common/civil.h"
#include "common/file.h"
#include "common/map.h"
#include "common/name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A stream that the log has changed. */
struct entry {
	char host[NAME_MAX_LEN + 1];
	struct stream *stream;
};

struct reading {
	sqlite3 *db;
	int dir;
	struct wal_log log;
	struct map changed;
	struct account_state *state;
	sqlite3_stmt *find_stream, *find_gaps, *add_loss, *add_place;
	struct buf meta;
};

/* --- SQL --- */

static void bind_id(sqlite3_stmt *s, int i, const struct stream_id *id)
{
	sql_bind_blob(s, i, id->bytes, sizeof(id->bytes));
}

static int prepare(sqlite3 *db, const char *text, sqlite3_stmt **ret)
{
	if (*ret)
		return 0;
	return sql_errno(sqlite3_prepare_v2(db, text, -1, ret, NULL));
}

/* --- the streams --- */

struct key {
	struct span host;
	const struct stream_id *id;
};

static bool same_stream(const void *entry, const void *key)
{
	const struct entry *e = entry;
	const struct key *k = key;
	return stream_id_equal(&e->stream->id, k->id) && span_is(k->host, e->host);
}

static int add_gaps(struct reading *g, struct stream *s)
{
	int r = prepare(g->db,
			"SELECT from_byte, to_byte, base, crc_from, crc_to FROM gap WHERE stream = "
			"?1 ORDER BY from_byte",
			&g->find_gaps);
	if (r < 0)
		return r;
	sql_bind_u64(g->find_gaps, 1, s->row);
	int code = SQLITE_DONE;
	while (r == 0 && (code = sqlite3_step(g->find_gaps)) == SQLITE_ROW)
		r = stream_add_gap(s, (struct gap){
					      .from = sql_u64(g->find_gaps, 0),
					      .to = sql_u64(g->find_gaps, 1),
					      .base = sql_u64(g->find_gaps, 2),
					      .crc_from = sql_u64(g->find_gaps, 3),
					      .crc_to = sql_u64(g->find_gaps, 4),
					      .crc_to_known = sqlite3_column_type(g->find_gaps,
										  4) != SQLITE_NULL,
				      });
	(void)sqlite3_reset(g->find_gaps);
	return r < 0 ? r : sql_errno(code);
}

static int take_stream(struct reading *g, sqlite3_stmt *s, const struct stream_id *id,
		       struct stream **ret)
{
	const struct chunk identity = {.stream = *id,
				       .service = sql_span(s, 1),
				       .instance = sql_span(s, 2),
				       .path = sql_span(s, 3),
				       .ino = sql_decimal(s, 4),
				       .start = sql_u64(s, 5)};
	if (identity.service.len > NAME_MAX_LEN || identity.instance.len > NAME_MAX_LEN ||
	    identity.path.len > CHUNK_PATH_MAX)
		return -EBADMSG;
	struct stream *t = stream_new(NULL, &identity);
	if (!t)
		return -ENOMEM;
	t->row = sql_u64(s, 0);
	t->base = sql_u64(s, 6);
	t->offset = sql_u64(s, 7);
	t->crc = sql_u64(s, 8);
	t->lines = sql_u64(s, 9);
	t->dropped = sql_u64(s, 10);
	t->born_us = sqlite3_column_int64(s, 11);
	t->last_us = sqlite3_column_int64(s, 12);
	t->ended = sqlite3_column_int(s, 13);
	int r = add_gaps(g, t);
	if (r < 0) {
		stream_free(t);
		return r;
	}
	*ret = t;
	return 1;
}

/* What the copy has of it: 1; 0: nothing. */
static int load_stream(struct reading *g, const struct key *k, struct stream **ret)
{
	int r = prepare(g->db,
			"SELECT s.id, service, instance, path, ino, start, base, offset, crc,"
			" s.lines, dropped, born_us, last_us, ended FROM host h"
			" JOIN stream s ON s.host = h.id WHERE h.name = ?1 AND s.stream = ?2",
			&g->find_stream);
	if (r < 0)
		return r;
	sql_bind_text(g->find_stream, 1, k->host);
	bind_id(g->find_stream, 2, k->id);
	int code = sqlite3_step(g->find_stream);
	r = code == SQLITE_ROW ? take_stream(g, g->find_stream, k->id, ret) : sql_errno(code);
	(void)sqlite3_reset(g->find_stream);
	return r;
}

static int add_entry(struct reading *g, uint64_t hash, const struct key *k, struct stream *s)
{
	struct entry *e = calloc(1, sizeof(*e));
	int r = e ? map_add(&g->changed, hash, e) : -ENOMEM;
	if (r < 0) {
		free(e);
		return r;
	}
	memcpy(e->host, k->host.ptr, k->host.len);
	e->stream = s;
	return 0;
}

/* The stream that the chunk is about, made when that is what the chunk did. -EBADMSG: there is
 * none. */
static int get_stream(struct reading *g, struct span host, const struct walrecord_chunk *c,
		      struct stream **ret)
{
	const struct key k = {host, &c->header.stream};
	uint64_t hash = map_hash(&g->changed, host) + stream_id_hash(k.id);
	const struct entry *e = map_find(&g->changed, hash, &k);
	struct stream *s = NULL;
	if (e) {
		*ret = e->stream;
		return 0;
	}
	int r = load_stream(g, &k, &s);
	if (r == 0 && c->how == STREAM_BIRTH && c->identity) {
		s = stream_new(NULL, &c->header);
		r = s ? 1 : -ENOMEM;
	} else if (r == 0) {
		r = -EBADMSG;
	}
	if (r > 0)
		r = add_entry(g, hash, &k, s);
	if (r < 0) {
		stream_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* --- records --- */

static int note_loss(struct reading *g, struct span host, const struct stream *s,
		     const struct walrecord_chunk *c)
{
	int r = prepare(g->db, "INSERT INTO new_loss VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
			&g->add_loss);
	if (r < 0)
		return r;
	sql_bind_text(g->add_loss, 1, host);
	bind_id(g->add_loss, 2, &s->id);
	sql_bind_text(g->add_loss, 3, stream_service(s));
	sql_bind_text(g->add_loss, 4, stream_path(s));
	sql_bind_u64(g->add_loss, 5, c->header.from);
	sql_bind_u64(g->add_loss, 6, c->header.to);
	sql_bind_text(g->add_loss, 7, c->header.loss);
	(void)sqlite3_bind_int64(g->add_loss, 8, c->terms.received_us);
	return sql_run(g->add_loss);
}

static int note_place(struct reading *g, int32_t day, struct span service, struct span host,
		      uint32_t number)
{
	char text[CIVIL_DAY_LEN];
	int r = prepare(g->db,
			"INSERT INTO place VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET"
			" number = max(number, ?4)",
			&g->add_place);
	if (r < 0)
		return r;
	civil_format_day(text, day);
	sql_bind_text(g->add_place, 1, span_make(text, sizeof(text)));
	sql_bind_text(g->add_place, 2, service);
	sql_bind_text(g->add_place, 3, host);
	sql_bind_u64(g->add_place, 4, number);
	return sql_run(g->add_place);
}

static int take_chunk(struct reading *g, struct span host, const struct walrecord_chunk *c)
{
	struct stream *s;
	int r = get_stream(g, host, c, &s);
	if (r < 0)
		return r;
	/* A birth was made by get_stream: it stands at the chunk's start. */
	const struct stream *was = c->how == STREAM_BIRTH ? NULL : s;
	if (stream_judge(was, &c->header) != c->how)
		return -EBADMSG;
	r = stream_prepare(s, &c->header);
	if (r == 0)
		r = stream_apply(s, &c->header, c->how, 0, c->terms.received_us, c->identity);
	if (r == 0 && c->header.loss.len)
		r = note_loss(g, host, s, c);
	for (size_t i = 0; r == 0 && i < c->n_lines; i++)
		r = note_place(g, c->lines[i].day, c->header.service, host,
			       c->lines[i].place.number);
	return r;
}

static int take_move(struct reading *g, struct span meta)
{
	struct walrecord_move m;
	int r = walrecord_decode_move(meta, &m);
	return r < 0 ? r : note_place(g, m.day, m.service, m.host, m.move.to.number);
}

static int take_batch(struct reading *g, struct span meta)
{
	struct walrecord_batch batch;
	int r = walrecord_decode_batch(meta, &batch);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < batch.n_chunks; i++)
		r = take_chunk(g, batch.host, &batch.chunks[i]);
	walrecord_batch_free(&batch);
	return r;
}

static int take_record(struct reading *g, const struct wal_entry *e)
{
	buf_clear(&g->meta);
	int r = wal_read_meta(g->dir, &g->log, e, &g->meta);
	if (r < 0)
		return r;
	if (e->head.type == WALRECORD_BATCH)
		return take_batch(g, buf_span(&g->meta));
	return e->head.type == WALRECORD_MOVE ? take_move(g, buf_span(&g->meta)) : 0;
}

/* Makes durable what is about to count. A file that was dropped is in a newer copy. */
static int sync_log(struct reading *g)
{
	for (size_t i = 0; i < g->log.n_files; i++) {
		char name[WAL_NAME_LEN + 1];
		if (g->log.files[i].last_lsn <= g->state->lsn)
			continue;
		wal_format_name(name, WAL_RECORDS, g->log.files[i].sequence);
		int fd = openat(g->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0)
			return errno == ENOENT ? -EAGAIN : -errno;
		int r = fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS ? -errno : 0;
		file_close(&fd);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Does the log tell everything from the very beginning? */
static bool is_first(const struct wal_log *log)
{
	return log->n_files && log->files[0].sequence == 1;
}

static int take_records(struct reading *g)
{
	struct account_state *state = g->state;
	uint64_t lsn = state->lsn;
	if (lsn == 0 && !is_first(&g->log))
		return -EAGAIN;
	for (size_t i = 0; i < g->log.n_entries; i++) {
		const struct wal_entry *e = &g->log.entries[i];
		if (e->head.lsn <= lsn)
			continue;
		if (e->head.lsn != lsn + 1 && lsn == state->lsn)
			return -EAGAIN;
		int r = e->head.lsn == lsn + 1 && e->state == WAL_ENTRY_GOOD ? take_record(g, e)
									     : -EBADMSG;
		if (r == -EBADMSG) {
			/* Once durable, or only begun? */
			const struct wal_entry *last = &g->log.entries[g->log.n_entries - 1];
			state->log_damaged = last->head.durable_lsn >= lsn + 1;
			break;
		}
		if (r < 0)
			return r;
		lsn++;
		state->log_events++;
		state->as_of_us = e->head.time_us;
	}
	state->lsn = lsn;
	return 0;
}

/* --- what came of it --- */

static int put_gaps(struct reading *g, const struct entry *e)
{
	sqlite3_stmt *s = NULL;
	int r = prepare(g->db, "INSERT INTO changed_gap VALUES (?1, ?2, ?3, ?4)", &s);
	for (size_t i = 0; r == 0 && i < e->stream->n_gaps; i++) {
		sql_bind_text(s, 1, span_of(e->host));
		bind_id(s, 2, &e->stream->id);
		sql_bind_u64(s, 3, e->stream->gaps[i].from);
		sql_bind_u64(s, 4, e->stream->gaps[i].to);
		r = sql_run(s);
	}
	(void)sqlite3_finalize(s);
	return r;
}

static int put_stream(sqlite3_stmt *s, const struct entry *e)
{
	const struct stream *t = e->stream;
	char ino[24];
	(void)snprintf(ino, sizeof(ino), "%llu", (unsigned long long)t->ino);
	sql_bind_text(s, 1, span_of(e->host));
	bind_id(s, 2, &t->id);
	sql_bind_text(s, 3, stream_service(t));
	sql_bind_text(s, 4, stream_instance(t));
	sql_bind_text(s, 5, stream_path(t));
	sql_bind_text(s, 6, span_of(ino));
	sql_bind_u64(s, 7, t->start);
	sql_bind_u64(s, 8, t->base);
	sql_bind_u64(s, 9, t->offset);
	sql_bind_u64(s, 10, t->crc);
	sql_bind_u64(s, 11, t->lines);
	sql_bind_u64(s, 12, t->dropped);
	(void)sqlite3_bind_int64(s, 13, t->born_us);
	(void)sqlite3_bind_int64(s, 14, t->last_us);
	sql_bind_u64(s, 15, t->ended);
	return sql_run(s);
}

static int put_changed(struct reading *g)
{
	sqlite3_stmt *s = NULL;
	int r = prepare(g->db,
			"INSERT INTO changed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
			" ?11, ?12, ?13, ?14, ?15)",
			&s);
	size_t cursor = 0;
	for (const struct entry *e; r == 0 && (e = map_next(&g->changed, &cursor));) {
		r = put_stream(s, e);
		if (r == 0 && e->stream->n_gaps)
			r = put_gaps(g, e);
	}
	(void)sqlite3_finalize(s);
	return r;
}

static void free_reading(struct reading *g)
{
	size_t cursor = 0;
	for (struct entry *e; (e = map_next(&g->changed, &cursor));) {
		stream_free(e->stream);
		free(e);
	}
	map_free(&g->changed);
	(void)sqlite3_finalize(g->find_stream);
	(void)sqlite3_finalize(g->find_gaps);
	(void)sqlite3_finalize(g->add_loss);
	(void)sqlite3_finalize(g->add_place);
	wal_log_free(&g->log);
	buf_free(&g->meta);
	file_close(&g->dir);
}

int account_log_add(sqlite3 *db, int dir, struct account_state *state)
{
	struct reading g = {.db = db, .state = state};
	map_init(&g.changed, same_stream);
	g.dir = openat(dir, TREE_WAL, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (g.dir < 0)
		return errno == ENOENT ? (state->lsn ? 0 : -EAGAIN) : -errno;
	int r = wal_scan(g.dir, state->lsn, &g.log);
	if (r == 0)
		r = sync_log(&g);
	if (r == 0)
		r = sql_exec(db, "BEGIN");
	if (r == 0)
		r = take_records(&g);
	if (r == 0)
		r = put_changed(&g);
	if (r == 0)
		r = sql_exec(db, "COMMIT");
	free_reading(&g);
	return r;
}
