/* The ledger: see ledger.h. Written by the checkpoint, read (ledger_read.c) once by recovery, never
 * on the way of an answer.
 *
 * Rollback journal, synchronous=FULL, exclusive lock: between transactions the ledger is one file
 * that can be copied and put back, and a commit is durable when it returns. (In WAL mode a restored
 * copy beside a newer -wal would be read as garbage, and SELECT fails on a full disk.)
 *
 * A file that SQLite cannot make sense of, or that its own check finds wanting, is -EBADMSG; what
 * follows from that is recovery's to say. */
#include "collector/store/ledger.h"

#include "collector/store/ledger_inside.h"
#include "collector/store/ledger_schema.h"
#include "collector/store/sql.h"
#include "common/civil.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BUSY_MS = 5000, COPY_PAGES = 256 };

#define P2  "?1, ?2"
#define P6  P2 ", ?3, ?4, ?5, ?6"
#define P8  P6 ", ?7, ?8"
#define P9  P8 ", ?9"
#define P11 P9 ", ?10, ?11"
#define P20 P11 ", ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20"

/* A row and its sum, of all of its parameters. */
#define ROW(parameters) " VALUES (" parameters ", row_sum(" parameters "))"

static const char *const sql[LEDGER_STATEMENTS] = {
	[PUT_META] = "INSERT OR REPLACE INTO meta" ROW(P2),
	[PUT_HOST] = "INSERT INTO host" ROW(
		P9) " ON CONFLICT (id) DO UPDATE SET session = ?3, machine = ?4, agent = ?5,"
		    " first_contact_us = ?6, last_contact_us = ?7, lines = ?8, bytes = ?9,"
		    " sum = excluded.sum",
	[PUT_STREAM] = "INSERT INTO stream" ROW(
		P20) " ON CONFLICT (id) DO UPDATE SET service = ?4, instance = ?5, path = ?6, ino "
		     "= ?7,"
		     " btime_ns = ?8, start = ?9, base = ?10, offset = ?11, crc = ?12, state = ?13,"
		     " ended = ?14, lines = ?15, dropped = ?16, stored_bytes = ?17, lost_bytes = "
		     "?18,"
		     " born_us = ?19, last_us = ?20, sum = excluded.sum",
	[REMOVE_STREAM] = "DELETE FROM stream WHERE id = ?1",
	[REMOVE_GAPS] = "DELETE FROM gap WHERE stream = ?1",
	[PUT_GAP] = "INSERT OR REPLACE INTO gap" ROW(P6),
	[PUT_SEGMENT] = "INSERT OR REPLACE INTO segment" ROW(P11),
	[REMOVE_SEGMENT] = "DELETE FROM segment"
			   " WHERE day = ?1 AND service = ?2 AND host = ?3 AND number = ?4",
	[ADD_LOSS] =
		"INSERT INTO loss"
		" (host, stream, service, path, from_byte, to_byte, cause, time_us, sum)" ROW(P8),
	[ADD_NOTE] =
		"INSERT INTO archive_note"
		" (day, service, host, number, from_byte, to_byte, what, time_us, sum)" ROW(P8),
};

const char *const ledger_state_names[LEDGER_STATES] = {
	[SEGMENT_STATE_LIVE] = "live",       [SEGMENT_STATE_CLOSED] = "closed",
	[SEGMENT_STATE_SEALED] = "sealed",   [SEGMENT_STATE_GONE] = "gone",
	[SEGMENT_STATE_DELETED] = "deleted",
};

/* --- binding --- */

static void bind_decimal(sqlite3_stmt *s, int i, uint64_t v)
{
	char digits[21];
	(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);
	(void)sqlite3_bind_text(s, i, digits, -1, SQLITE_TRANSIENT);
}

static void bind_day(sqlite3_stmt *s, int i, int32_t day)
{
	char text[CIVIL_DAY_LEN];
	civil_format_day(text, day);
	(void)sqlite3_bind_text(s, i, text, CIVIL_DAY_LEN, SQLITE_TRANSIENT);
}

static int statement(struct ledger *l, enum statement which, sqlite3_stmt **ret)
{
	if (!l->statements[which]) {
		int code = sqlite3_prepare_v3(l->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
					      &l->statements[which], NULL);
		if (code != SQLITE_OK)
			return sql_errno(code);
	}
	*ret = l->statements[which];
	return 0;
}

/* --- opening --- */

static int make_schema(sqlite3 *db)
{
	char text[192];
	(void)snprintf(text, sizeof(text),
		       "PRAGMA application_id = %d;"
		       "INSERT INTO meta VALUES ('version', %d, row_sum('version', %d)); COMMIT",
		       LEDGER_APPLICATION_ID, LEDGER_VERSION, LEDGER_VERSION);
	int r = sql_exec(db, "BEGIN");
	if (r == 0)
		r = sql_exec(db, ledger_schema);
	return r == 0 ? sql_exec(db, text) : r;
}

static int set_up(sqlite3 *db)
{
	(void)sqlite3_busy_timeout(db, BUSY_MS);
	int r = sql_exec(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL;"
			     "PRAGMA journal_mode = TRUNCATE; PRAGMA temp_store = MEMORY;"
			     "PRAGMA cache_size = -8192; BEGIN EXCLUSIVE; COMMIT");
	if (r < 0)
		return r;
	int64_t tables = 0;
	r = sql_number(db, "SELECT count(*) FROM sqlite_master", &tables);
	if (r < 0)
		return r;
	return tables ? sql_check(db) : make_schema(db);
}

int ledger_open(const char *path, struct ledger **ret)
{
	struct ledger *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int code = sqlite3_open_v2(path, &l->db, flags, NULL);
	int r = code == SQLITE_OK ? sql_add_row_sum(l->db) : sql_errno(code);
	if (r == 0)
		r = set_up(l->db);
	if (r < 0) {
		ledger_close(l);
		return r;
	}
	(void)chmod(path, 0640);
	*ret = l;
	return 0;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < LEDGER_STATEMENTS; i++)
		(void)sqlite3_finalize(l->statements[i]);
	(void)sqlite3_close(l->db);
	free(l);
}

/* --- meta --- */

static int read_meta(sqlite3 *db, struct ledger_meta *ret)
{
	struct ledger_meta m = {0};
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db, "SELECT key, value FROM meta", -1, &s, NULL);
	if (code != SQLITE_OK)
		return sql_errno(code);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		struct span key = span_of((const char *)sqlite3_column_text(s, 0));
		if (span_is(key, "uuid") && sqlite3_column_bytes(s, 1) == UUID_LEN)
			memcpy(m.uuid, sqlite3_column_text(s, 1), UUID_LEN);
		else if (span_is(key, "lsn"))
			m.lsn = (uint64_t)sqlite3_column_int64(s, 1);
		else if (span_is(key, "last_session"))
			m.last_session = (uint64_t)sqlite3_column_int64(s, 1);
	}
	(void)sqlite3_finalize(s);
	if (code != SQLITE_DONE)
		return sql_errno(code);
	*ret = m;
	return 0;
}

int ledger_read_meta(struct ledger *l, struct ledger_meta *ret)
{
	return read_meta(l->db, ret);
}

int ledger_probe(const char *path, struct ledger_meta *ret)
{
	sqlite3 *db = NULL;
	int r = sql_open_copy(path, &db);
	if (r == 0)
		r = read_meta(db, ret);
	(void)sqlite3_close(db);
	return r;
}

/* --- copying --- */

int ledger_copy(struct ledger *l, const char *path)
{
	sqlite3 *to = NULL;
	int code = sqlite3_open_v2(
		path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	/* The copy is nothing before it is whole, synced and renamed: no journal. */
	int r = code == SQLITE_OK
			? sql_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
			: sql_errno(code);
	sqlite3_backup *b = r == 0 ? sqlite3_backup_init(to, "main", l->db, "main") : NULL;
	if (r == 0 && !b)
		r = sql_errno(sqlite3_errcode(to));
	if (b) {
		(void)sqlite3_backup_step(b, -1);
		r = sql_errno(sqlite3_backup_finish(b));
	}
	code = sqlite3_close(to);
	return r < 0 ? r : sql_errno(code);
}

/* --- writing --- */

int ledger_begin(struct ledger *l)
{
	return sql_exec(l->db, "BEGIN IMMEDIATE");
}

int ledger_put_host(struct ledger *l, const struct host *h)
{
	sqlite3_stmt *s = NULL;
	int r = statement(l, PUT_HOST, &s);
	if (r < 0)
		return r;
	sql_bind_u64(s, 1, h->row);
	sql_bind_text(s, 2, span_of(h->name));
	sql_bind_u64(s, 3, h->session);
	sql_bind_blob(s, 4, h->machine, h->machine_len);
	sql_bind_blob(s, 5, h->agent, h->agent_len);
	sql_bind_i64(s, 6, h->first_contact_us);
	sql_bind_i64(s, 7, h->last_contact_us);
	sql_bind_u64(s, 8, h->lines);
	sql_bind_u64(s, 9, h->bytes);
	return sql_run(s);
}

static int put_gaps(struct ledger *l, const struct stream *stream)
{
	sqlite3_stmt *s = NULL;
	int r = statement(l, REMOVE_GAPS, &s);
	if (r < 0)
		return r;
	sql_bind_u64(s, 1, stream->row);
	r = sql_run(s);
	for (size_t i = 0; r == 0 && i < stream->n_gaps; i++) {
		const struct gap *g = &stream->gaps[i];
		r = statement(l, PUT_GAP, &s);
		if (r < 0)
			return r;
		sql_bind_u64(s, 1, stream->row);
		sql_bind_u64(s, 2, g->from);
		sql_bind_u64(s, 3, g->to);
		sql_bind_u64(s, 4, g->base);
		sql_bind_u64(s, 5, g->crc_from);
		if (g->crc_to_known)
			sql_bind_u64(s, 6, g->crc_to);
		else
			(void)sqlite3_bind_null(s, 6);
		r = sql_run(s);
	}
	return r;
}

int ledger_put_stream(struct ledger *l, const struct stream *stream)
{
	sqlite3_stmt *s = NULL;
	int r = statement(l, PUT_STREAM, &s);
	if (r < 0)
		return r;
	sql_bind_u64(s, 1, stream->row);
	sql_bind_u64(s, 2, stream->host->row);
	sql_bind_blob(s, 3, stream->id.bytes, sizeof(stream->id.bytes));
	sql_bind_text(s, 4, stream_service(stream));
	sql_bind_text(s, 5, stream_instance(stream));
	sql_bind_text(s, 6, stream_path(stream));
	bind_decimal(s, 7, stream->ino);
	sql_bind_i64(s, 8, stream->btime_ns);
	sql_bind_u64(s, 9, stream->start);
	sql_bind_u64(s, 10, stream->base);
	sql_bind_u64(s, 11, stream->offset);
	sql_bind_u64(s, 12, stream->crc);
	sql_bind_blob(s, 13, stream->state, stream->state_len);
	sql_bind_u64(s, 14, stream->ended);
	sql_bind_u64(s, 15, stream->lines);
	sql_bind_u64(s, 16, stream->dropped);
	sql_bind_u64(s, 17, stream->stored_bytes);
	sql_bind_u64(s, 18, stream->lost_bytes);
	sql_bind_i64(s, 19, stream->born_us);
	sql_bind_i64(s, 20, stream->last_us);
	r = sql_run(s);
	return r == 0 && stream->gaps_changed ? put_gaps(l, stream) : r;
}

int ledger_remove_stream(struct ledger *l, uint64_t row)
{
	static const enum statement which[] = {REMOVE_GAPS, REMOVE_STREAM};
	int r = 0;
	for (size_t i = 0; r == 0 && i < 2; i++) {
		sqlite3_stmt *s = NULL;
		r = statement(l, which[i], &s);
		if (r < 0)
			return r;
		sql_bind_u64(s, 1, row);
		r = sql_run(s);
	}
	return r;
}

int ledger_put_segment(struct ledger *l, const struct segment_row *row)
{
	sqlite3_stmt *s = NULL;
	int r = statement(l, PUT_SEGMENT, &s);
	if (r < 0)
		return r;
	bind_day(s, 1, row->day);
	sql_bind_text(s, 2, row->service);
	sql_bind_text(s, 3, row->host);
	sql_bind_u64(s, 4, row->number);
	sql_bind_text(s, 5, span_of(ledger_state_names[row->state]));
	bind_decimal(s, 6, row->inode);
	sql_bind_u64(s, 7, row->length);
	sql_bind_u64(s, 8, row->lines);
	sql_bind_i64(s, 9, row->first_us);
	sql_bind_i64(s, 10, row->last_us);
	if (row->crc_known)
		sql_bind_u64(s, 11, row->crc);
	else
		(void)sqlite3_bind_null(s, 11);
	return sql_run(s);
}

int ledger_remove_segment(struct ledger *l, const struct segment_row *row)
{
	sqlite3_stmt *s = NULL;
	int r = statement(l, REMOVE_SEGMENT, &s);
	if (r < 0)
		return r;
	bind_day(s, 1, row->day);
	sql_bind_text(s, 2, row->service);
	sql_bind_text(s, 3, row->host);
	sql_bind_u64(s, 4, row->number);
	return sql_run(s);
}

int ledger_add_loss(struct ledger *l, const struct loss *loss)
{
	sqlite3_stmt *s = NULL;
	int r = statement(l, ADD_LOSS, &s);
	if (r < 0)
		return r;
	sql_bind_text(s, 1, span_of(loss->host));
	sql_bind_blob(s, 2, loss->stream.bytes, sizeof(loss->stream.bytes));
	sql_bind_text(s, 3, loss->service);
	sql_bind_text(s, 4, loss->path);
	sql_bind_u64(s, 5, loss->from);
	sql_bind_u64(s, 6, loss->to);
	sql_bind_text(s, 7, span_of(loss->cause));
	sql_bind_i64(s, 8, loss->time_us);
	return sql_run(s);
}

int ledger_add_note(struct ledger *l, const struct archive_note *note)
{
	sqlite3_stmt *s = NULL;
	int r = statement(l, ADD_NOTE, &s);
	if (r < 0)
		return r;
	bind_day(s, 1, note->day);
	sql_bind_text(s, 2, note->service);
	sql_bind_text(s, 3, note->host);
	sql_bind_u64(s, 4, note->number);
	sql_bind_u64(s, 5, note->from);
	sql_bind_u64(s, 6, note->to);
	sql_bind_text(s, 7, span_of(note->what));
	sql_bind_i64(s, 8, note->time_us);
	return sql_run(s);
}

static int put_meta(struct ledger *l, const char *key, struct span text, uint64_t number)
{
	sqlite3_stmt *s = NULL;
	int r = statement(l, PUT_META, &s);
	if (r < 0)
		return r;
	sql_bind_text(s, 1, span_of(key));
	if (text.len)
		sql_bind_text(s, 2, text);
	else
		sql_bind_u64(s, 2, number);
	return sql_run(s);
}

int ledger_commit(struct ledger *l, const struct ledger_meta *meta)
{
	int r = put_meta(l, "uuid", span_of(meta->uuid), 0);
	if (r == 0)
		r = put_meta(l, "lsn", (struct span){0}, meta->lsn);
	if (r == 0)
		r = put_meta(l, "last_session", (struct span){0}, meta->last_session);
	if (r == 0)
		r = sql_exec(l->db, "COMMIT");
	if (r < 0)
		ledger_rollback(l);
	return r;
}

void ledger_rollback(struct ledger *l)
{
	if (!sqlite3_get_autocommit(l->db))
		(void)!sql_exec(l->db, "ROLLBACK");
}
