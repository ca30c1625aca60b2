/* Rows of a ledger that somebody or something has written to: each is read or refused, and what is
 * read keeps to its limits. An input is text, a row a line: a letter for the table (m h s g e, as
 * in `tables`), and its columns, each behind a `|` and begun by a letter for its type: i integer, r
 * real, t text, b blob, n NULL. */
#include "collector/store/ledger.h"
#include "common/buf.h"
#include "common/civil.h"
#include "common/file.h"
#include "common/name.h"
#include "common/num.h"
#include "tests/lib/ledger_by_hand.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	char letter;
	const char *insert;
	int n_columns;
} tables[] = {
	{'m', "INSERT OR IGNORE INTO meta VALUES (?,?,0)", 2},
	{'h', "INSERT OR IGNORE INTO host VALUES (?,?,?,?,?,?,?,?,?,0)", 9},
	{'s', "INSERT OR IGNORE INTO stream VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)",
	 20},
	{'g', "INSERT OR IGNORE INTO gap VALUES (?,?,?,?,?,?,0)", 6},
	{'e', "INSERT OR IGNORE INTO segment VALUES (?,?,?,?,?,?,?,?,?,?,?,0)", 11},
};

enum { EMPTY_MAX = 1 << 20 };

static char path[64];
static struct buf empty_ledger;

static void clean_up(void)
{
	(void)unlink(path);
	buf_free(&empty_ledger);
}

static void make_empty_ledger(void)
{
	struct ledger *l;
	(void)snprintf(path, sizeof(path), "/dev/shm/haul-fuzz-ledger-%d", (int)getpid());
	(void)unlink(path);
	assert(ledger_open(path, &l) == 0);
	ledger_close(l);
	assert(file_read(AT_FDCWD, path, EMPTY_MAX, &empty_ledger) == 0);
	(void)atexit(clean_up);
}

static void bind(sqlite3_stmt *s, int i, struct span value)
{
	struct span text = value.len ? span_from(value, 1) : value;
	int64_t number;
	if (num_parse_i64(text, &number) < 0)
		number = 0;
	switch (value.len ? value.ptr[0] : 'n') {
	case 'i': (void)sqlite3_bind_int64(s, i, number); break;
	case 'r': (void)sqlite3_bind_double(s, i, (double)number / 3); break;
	case 't': (void)sqlite3_bind_text(s, i, text.ptr, (int)text.len, SQLITE_STATIC); break;
	case 'b': (void)sqlite3_bind_blob(s, i, text.ptr, (int)text.len, SQLITE_STATIC); break;
	default: (void)sqlite3_bind_null(s, i);
	}
}

/* Cuts what is before `end` off. */
static struct span next(struct span *rest, char end)
{
	size_t len = span_find(*rest, end);
	struct span part = span_first(*rest, len);
	*rest = span_from(*rest, len < rest->len ? len + 1 : len);
	return part;
}

static void put_row(sqlite3 *db, struct span row)
{
	struct span table = next(&row, '|');
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		sqlite3_stmt *s;
		if (table.len != 1 || table.ptr[0] != tables[t].letter)
			continue;
		assert(sqlite3_prepare_v2(db, tables[t].insert, -1, &s, NULL) == SQLITE_OK);
		for (int i = 1; i <= tables[t].n_columns && row.len; i++)
			bind(s, i, next(&row, '|'));
		(void)sqlite3_step(s);
		(void)sqlite3_finalize(s);
	}
}

static void put_rows(struct span rows)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert(fd >= 0 && file_pwrite_all(fd, buf_span(&empty_ledger), 0) == 0);
	(void)close(fd);
	sqlite3 *db = ledger_open_by_hand(path);
	assert(sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN",
			    NULL, NULL, NULL) == SQLITE_OK);
	while (rows.len)
		put_row(db, next(&rows, '\n'));
	ledger_add_sums(db);
	assert(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
	(void)sqlite3_close(db);
}

static int on_host(void *user, const struct host *row)
{
	(void)user;
	assert(name_valid_host(span_of(row->name)));
	assert(row->machine_len <= SESSION_MACHINE_MAX && row->agent_len <= SESSION_AGENT_MAX);
	return 0;
}

/* Every byte is looked at, for the sanitizer. */
static unsigned sum(struct span text)
{
	unsigned all = 0;
	for (size_t i = 0; i < text.len; i++)
		all += (unsigned char)text.ptr[i];
	return all;
}

static int on_stream(void *user, uint64_t host_row, const struct stream *row)
{
	(void)host_row;
	assert(row->service_len <= NAME_MAX_LEN && row->instance_len <= NAME_MAX_LEN);
	assert(row->path_len <= CHUNK_PATH_MAX && row->state_len <= CHUNK_STATE_MAX);
	*(unsigned *)user += sum(stream_service(row)) + sum(stream_instance(row)) +
			     sum(stream_path(row)) + sum(stream_state(row));
	return 0;
}

static int on_gap(void *user, uint64_t stream_row, const struct gap *gap)
{
	(void)stream_row;
	*(unsigned *)user += (unsigned)(gap->from + gap->to + gap->crc_to_known);
	return 0;
}

static int on_segment(void *user, const struct segment_row *row)
{
	char day[CIVIL_DAY_LEN + 1];
	civil_format_day(day, row->day);
	assert(name_valid(row->service) && name_valid_host(row->host) && row->number > 0);
	*(unsigned *)user += (unsigned)row->state;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned all = 0;
	const struct ledger_reader reader = {on_host, on_stream, on_gap, on_segment, &all};
	struct ledger_meta meta;
	struct ledger *l;
	if (!empty_ledger.len)
		make_empty_ledger();
	put_rows(span_make((const char *)data, size));
	int r = ledger_open(path, &l);
	assert(r == 0 || r == -EBADMSG); /* SQLite may see a column of the wrong type */
	if (r < 0)
		return 0;
	assert(ledger_read_meta(l, &meta) == 0);
	r = ledger_read(l, &reader);
	assert(r == 0 || r == -EBADMSG);
	ledger_close(l);
	r = ledger_probe(path, &meta);
	assert(r == 0 || r == -EBADMSG);
	return 0;
}
