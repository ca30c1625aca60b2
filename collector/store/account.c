/* The collector's account: see account.h. Asked by `haul verify`.
 *
 * SQLite does the sorting and joining, with what does not fit its cache in temporary files, so that
 * memory does not grow with the number of streams. Temporary tables:
 *
 *     changed        streams that the log has moved or made beyond the copy
 *     changed_gap    their gaps
 *     new_loss       losses that the log has beyond the copy
 *     place          shards to which the log has lines, and the greatest number of a segment of theirs
 *     gaps, losses   both, of copy and log, by stream */
#include "collector/store/account.h"

#include "collector/store/account_log.h"
#include "collector/store/ledger_schema.h"
#include "collector/store/sql.h"
#include "collector/store/tree.h"
#include "common/array.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* A copy that is newer than the log that was read is there at once: a few tries are plenty. Damage
 * is believed when it is still there at another look. */
enum { TRIES = 20, DAMAGED_TRIES = 3 };

#define COPY "the copy of the ledger (.haul/ledger-export.db)"

enum question { STREAMS, GAPS, LOSSES, SEGMENTS, SEGMENT, LIVE, PLACE, N_QUESTIONS };

#define SEGMENT_COLUMNS                                                                            \
	"day, service, host, number, state, inode, length, lines, crc,"                            \
	" (SELECT sum(to_byte - from_byte) FROM archive_note n WHERE n.day = s.day"                \
	" AND n.service = s.service AND n.host = s.host AND n.number = s.number AND n.what = "     \
	"'cut')"

static const char *const questions[N_QUESTIONS] = {
	[STREAMS] =
		"SELECT h.name, s.stream, service, instance, path, ino, start, base, offset, crc,"
		" s.lines, dropped, born_us, last_us, ended, 1 AS known"
		" FROM stream s JOIN host h ON h.id = s.host WHERE NOT EXISTS"
		" (SELECT 1 FROM changed c WHERE c.stream = s.stream AND c.host = h.name)"
		" UNION ALL SELECT host, stream, service, instance, path, ino, start, base, "
		"offset, "
		"crc, lines, dropped, born_us, last_us, ended, 1 FROM changed"
		" UNION ALL SELECT host, stream, min(service), '', min(path), '', 0, 0, 0, 0, 0, 0,"
		" min(time_us), max(time_us), 0, 0 FROM losses l WHERE NOT EXISTS"
		" (SELECT 1 FROM changed c WHERE c.stream = l.stream AND c.host = l.host)"
		" AND NOT EXISTS (SELECT 1 FROM stream s JOIN host h ON h.id = s.host"
		" WHERE s.stream = l.stream AND h.name = l.host) GROUP BY host, stream"
		" ORDER BY 1, 5, 13, 2",
	[GAPS] = "SELECT from_byte, to_byte FROM gaps WHERE stream = ?1 AND host = ?2"
		 " ORDER BY from_byte",
	[LOSSES] = "SELECT from_byte, to_byte, cause, time_us FROM losses"
		   " WHERE stream = ?1 AND host = ?2 ORDER BY from_byte",
	[SEGMENTS] =
		"SELECT " SEGMENT_COLUMNS " FROM segment s ORDER BY day, service, host, number",
	[SEGMENT] = "SELECT " SEGMENT_COLUMNS " FROM segment s"
		    " WHERE day = ?1 AND service = ?2 AND host = ?3 AND number = ?4",
	[LIVE] = "SELECT " SEGMENT_COLUMNS " FROM segment s"
		 " WHERE day = ?1 AND service = ?2 AND host = ?3 AND state = 'live'",
	[PLACE] = "SELECT 1 FROM place WHERE day = ?1 AND service = ?2 AND host = ?3"
		  " AND number >= ?4",
};

static const char tables[] =
	"PRAGMA cache_size = -4096; PRAGMA temp_store = FILE;"
	"CREATE TEMP TABLE changed (host TEXT, stream BLOB, service TEXT, instance TEXT, path TEXT,"
	" ino TEXT, start INTEGER, base INTEGER, offset INTEGER, crc INTEGER, lines INTEGER,"
	" dropped INTEGER, born_us INTEGER, last_us INTEGER, ended INTEGER,"
	" PRIMARY KEY (stream, host)) WITHOUT ROWID;"
	"CREATE TEMP TABLE changed_gap (host TEXT, stream BLOB, from_byte INTEGER, to_byte "
	"INTEGER);"
	"CREATE TEMP TABLE new_loss (host TEXT, stream BLOB, service TEXT, path TEXT,"
	" from_byte INTEGER, to_byte INTEGER, cause TEXT, time_us INTEGER);"
	"CREATE TEMP TABLE place (day TEXT, service TEXT, host TEXT, number INTEGER,"
	" PRIMARY KEY (day, service, host)) WITHOUT ROWID";

/* When the log has been read. */
static const char sums[] =
	"CREATE TEMP TABLE losses AS SELECT host, stream, service, path, from_byte, to_byte, cause,"
	" time_us FROM loss UNION ALL SELECT * FROM new_loss;"
	"CREATE INDEX temp.losses_of ON losses (stream, host);"
	"CREATE TEMP TABLE gaps AS SELECT h.name AS host, s.stream AS stream, from_byte, to_byte"
	" FROM gap g JOIN stream s ON s.id = g.stream JOIN host h ON h.id = s.host WHERE NOT EXISTS"
	" (SELECT 1 FROM changed c WHERE c.stream = s.stream AND c.host = h.name)"
	" UNION ALL SELECT * FROM changed_gap;"
	"CREATE INDEX temp.gaps_of ON gaps (stream, host)";

struct account {
	sqlite3 *db;
	sqlite3_stmt *asked[N_QUESTIONS];
	struct account_state state;
	struct account_gap *gaps;
	struct account_loss *losses;
	size_t gaps_capacity, losses_capacity;
};

/* --- opening --- */

static int read_lsn(sqlite3 *db, uint64_t *ret)
{
	int64_t lsn;
	int r = sql_number(db, "SELECT value FROM meta WHERE key = 'lsn'", &lsn);
	if (r == 0)
		*ret = (uint64_t)lsn;
	return r == -ENODATA ? -EBADMSG : r;
}

/* A collector that has only just begun has made no copy yet: all it knows is in its log. */
static int open_empty(sqlite3 **ret, struct account_state *state)
{
	int code = sqlite3_open_v2(":memory:", ret,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				   NULL);
	state->as_of_us = clock_real_ns() / NUM_US_NS;
	return code == SQLITE_OK ? sql_exec(*ret, ledger_schema) : sql_errno(code);
}

/* The copy for readers; where a crash has left the other name of it alone, that one. */
static int open_copy(const char *data_dir, sqlite3 **ret, struct account_state *state)
{
	static const char *const names[] = {"ledger-export.db", "wal/snapshot.db"};
	int r = -ENOENT;
	for (size_t i = 0; r == -ENOENT && i < sizeof(names) / sizeof(*names); i++) {
		char path[PATH_MAX];
		struct stat st;
		if (snprintf(path, sizeof(path), "%s/" TREE_HAUL "/%s", data_dir, names[i]) >=
		    PATH_MAX)
			return -ENAMETOOLONG;
		r = stat(path, &st) < 0 ? -errno : sql_open_copy(path, ret);
		if (r == 0)
			state->as_of_us =
				st.st_mtim.tv_sec * NUM_SEC_US + st.st_mtim.tv_nsec / NUM_US_NS;
	}
	if (r == -ENOENT)
		return open_empty(ret, state);
	return r < 0 ? r : read_lsn(*ret, &state->lsn);
}

static int open_once(const char *data_dir, int dir, struct account *a, const char **ret_what)
{
	*ret_what = COPY;
	a->state = (struct account_state){0};
	int r = open_copy(data_dir, &a->db, &a->state);
	if (r == 0)
		r = sql_exec(a->db, tables);
	if (r < 0)
		return r;
	*ret_what = "the write-ahead log (.haul/wal)";
	r = account_log_add(a->db, dir, &a->state);
	return r < 0 ? r : sql_exec(a->db, sums);
}

static void close_db(struct account *a)
{
	for (size_t i = 0; i < N_QUESTIONS; i++) {
		(void)sqlite3_finalize(a->asked[i]);
		a->asked[i] = NULL;
	}
	(void)sqlite3_close(a->db);
	a->db = NULL;
}

int account_open(const char *data_dir, struct account **ret, const char **ret_what)
{
	struct account *a = calloc(1, sizeof(*a));
	int dir = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = !a ? -ENOMEM : dir < 0 ? -errno : -EAGAIN;
	*ret_what = "the data directory";
	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		close_db(a);
		r = open_once(data_dir, dir, a, ret_what);
		if (r == 0 && a->state.log_damaged && i < DAMAGED_TRIES)
			r = -EAGAIN;
	}
	file_close(&dir);
	if (r == -EAGAIN) {
		bool none = a->state.lsn == 0;
		r = none ? -ENOENT : -EBADMSG;
		if (none)
			*ret_what = COPY;
	}
	if (r < 0) {
		account_close(a);
		return r;
	}
	*ret = a;
	return 0;
}

void account_close(struct account *a)
{
	if (!a)
		return;
	close_db(a);
	free(a->gaps);
	free(a->losses);
	free(a);
}

const struct account_state *account_state(const struct account *a)
{
	return &a->state;
}

static int ask(struct account *a, enum question which, sqlite3_stmt **ret)
{
	if (!a->asked[which]) {
		int code = sqlite3_prepare_v3(a->db, questions[which], -1,
					      SQLITE_PREPARE_PERSISTENT, &a->asked[which], NULL);
		if (code != SQLITE_OK)
			return sql_errno(code);
	}
	*ret = a->asked[which];
	return 0;
}

/* 1: there is a row; 0: no further one, and the question may be asked again. */
static int next(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		return 1;
	(void)sqlite3_reset(s);
	return sql_errno(code);
}

static void bind(sqlite3_stmt *s, int i, struct span text)
{
	(void)sqlite3_bind_text64(s, i, text.len ? text.ptr : "", text.len, SQLITE_TRANSIENT,
				  SQLITE_UTF8);
}

/* --- streams --- */

static int ask_about(struct account *a, enum question which, const struct account_stream *of,
		     sqlite3_stmt **ret)
{
	int r = ask(a, which, ret);
	if (r < 0)
		return r;
	(void)sqlite3_bind_blob(*ret, 1, of->id.bytes, sizeof(of->id.bytes), SQLITE_STATIC);
	bind(*ret, 2, of->host);
	return 0;
}

static int add_gaps(struct account *a, struct account_stream *of)
{
	sqlite3_stmt *s = NULL;
	int r = ask_about(a, GAPS, of, &s);
	while (r == 0 && (r = next(s)) > 0) {
		r = array_room(&a->gaps, of->n_gaps, &a->gaps_capacity, sizeof(*a->gaps));
		if (r == 0)
			a->gaps[of->n_gaps++] =
				(struct account_gap){.from = sql_u64(s, 0), .to = sql_u64(s, 1)};
		else
			(void)sqlite3_reset(s);
	}
	of->gaps = a->gaps;
	return r;
}

static int add_losses(struct account *a, struct account_stream *of)
{
	sqlite3_stmt *s = NULL;
	int r = ask_about(a, LOSSES, of, &s);
	while (r == 0 && (r = next(s)) > 0) {
		r = array_room(&a->losses, of->n_losses, &a->losses_capacity, sizeof(*a->losses));
		if (r < 0) {
			(void)sqlite3_reset(s);
			break;
		}
		struct account_loss *l = &a->losses[of->n_losses++];
		struct span cause = sql_span(s, 2);
		*l = (struct account_loss){.from = sql_u64(s, 0),
					   .to = sql_u64(s, 1),
					   .time_us = sqlite3_column_int64(s, 3)};
		(void)snprintf(l->cause, sizeof(l->cause), "%.*s", (int)cause.len, cause.ptr);
	}
	of->losses = a->losses;
	return r;
}

int account_next_stream(struct account *a, struct account_stream *ret)
{
	sqlite3_stmt *s = NULL;
	int r = ask(a, STREAMS, &s);
	if (r == 0)
		r = next(s);
	if (r <= 0)
		return r;
	struct span id = sql_span(s, 1);
	*ret = (struct account_stream){
		.host = sql_span(s, 0),
		.service = sql_span(s, 2),
		.instance = sql_span(s, 3),
		.path = sql_span(s, 4),
		.ino = sql_decimal(s, 5),
		.start = sql_u64(s, 6),
		.base = sql_u64(s, 7),
		.offset = sql_u64(s, 8),
		.crc = sql_u64(s, 9),
		.lines = sql_u64(s, 10),
		.dropped = sql_u64(s, 11),
		.born_us = sqlite3_column_int64(s, 12),
		.last_us = sqlite3_column_int64(s, 13),
		.ended = sqlite3_column_int(s, 14),
		.known = sqlite3_column_int(s, 15),
	};
	if (id.len != sizeof(ret->id.bytes) || !name_valid_host(ret->host))
		return -EBADMSG;
	memcpy(ret->id.bytes, id.ptr, id.len);
	r = add_gaps(a, ret);
	if (r == 0)
		r = add_losses(a, ret);
	return r < 0 ? r : 1;
}

/* --- segments --- */

static int take_state(struct span text, enum account_segment_state *ret)
{
	static const char *const names[] = {[ACCOUNT_LIVE] = "live",
					    [ACCOUNT_CLOSED] = "closed",
					    [ACCOUNT_SEALED] = "sealed",
					    [ACCOUNT_GONE] = "gone",
					    [ACCOUNT_DELETED] = "deleted"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (span_is(text, names[i])) {
			*ret = (enum account_segment_state)i;
			return 0;
		}
	}
	return -EBADMSG;
}

static int take_segment(sqlite3_stmt *s, struct account_segment *ret)
{
	*ret = (struct account_segment){
		.service = sql_span(s, 1),
		.host = sql_span(s, 2),
		.number = (uint32_t)sqlite3_column_int64(s, 3),
		.ino = sql_decimal(s, 5),
		.length = sql_u64(s, 6),
		.lines = sql_u64(s, 7),
		.crc = sql_u64(s, 8),
		.crc_known = sqlite3_column_type(s, 8) != SQLITE_NULL,
		.cut = sql_u64(s, 9),
	};
	if (civil_parse_day(sql_span(s, 0), &ret->day) < 0 || !name_valid(ret->service) ||
	    !name_valid_host(ret->host) || ret->number == 0 || ret->length > INT64_MAX)
		return -EBADMSG;
	return take_state(sql_span(s, 4), &ret->state);
}

uint64_t account_count_segments(struct account *a)
{
	int64_t n = 0;
	(void)!sql_number(a->db, "SELECT count(*) FROM segment WHERE state <> 'deleted'", &n);
	return (uint64_t)n;
}

int account_next_segment(struct account *a, struct account_segment *ret)
{
	sqlite3_stmt *s = NULL;
	int r = ask(a, SEGMENTS, &s);
	if (r == 0)
		r = next(s);
	if (r <= 0)
		return r;
	r = take_segment(s, ret);
	return r < 0 ? r : 1;
}

static int find(struct account *a, enum question which, int32_t day, struct span service,
		struct span host, uint32_t number, struct account_segment *ret)
{
	sqlite3_stmt *s = NULL;
	char text[CIVIL_DAY_LEN];
	int r = ask(a, which, &s);
	if (r < 0)
		return r;
	(void)sqlite3_reset(s);
	civil_format_day(text, day);
	bind(s, 1, span_make(text, sizeof(text)));
	bind(s, 2, service);
	bind(s, 3, host);
	if (which != LIVE)
		(void)sqlite3_bind_int64(s, 4, number);
	r = next(s);
	if (r <= 0 || which == PLACE)
		return r;
	r = take_segment(s, ret);
	return r < 0 ? r : 1;
}

int account_find_segment(struct account *a, int32_t day, struct span service, struct span host,
			 uint32_t number, struct account_segment *ret)
{
	int r = find(a, number ? SEGMENT : LIVE, day, service, host, number, ret);
	if (r)
		return r;
	r = find(a, PLACE, day, service, host, number, NULL);
	return r > 0 ? 2 : r;
}
