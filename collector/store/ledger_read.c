/* Reads the ledger: see ledger.h. Each row is checked for what a damaged one could do harm with:
 * names, lengths, numbers out of range are -EBADMSG. */
#include "collector/store/ledger.h"

#include "collector/store/ledger_inside.h"
#include "collector/store/sql.h"
#include "common/civil.h"

#include <assert.h>
#include <errno.h>

static size_t column_copy(sqlite3_stmt *s, int i, char *dst, size_t max)
{
	struct span v = sql_span(s, i);
	size_t len = v.len < max ? v.len : max;
	if (len)
		memcpy(dst, v.ptr, len);
	dst[len] = '\0';
	return len;
}

static int each_host(sqlite3_stmt *s, const struct ledger_reader *r)
{
	struct host h = {0};
	h.row = sql_u64(s, 0);
	size_t len = column_copy(s, 1, h.name, NAME_MAX_LEN);
	if (!name_valid_host(span_make(h.name, len)))
		return -EBADMSG;
	h.session = sql_u64(s, 2);
	h.machine_len = column_copy(s, 3, h.machine, SESSION_MACHINE_MAX);
	h.agent_len = column_copy(s, 4, h.agent, SESSION_AGENT_MAX);
	h.first_contact_us = sqlite3_column_int64(s, 5);
	h.last_contact_us = sqlite3_column_int64(s, 6);
	h.lines = sql_u64(s, 7);
	h.bytes = sql_u64(s, 8);
	return r->host(r->user, &h);
}

static int read_stream(sqlite3_stmt *s, struct stream *row, struct buf *text)
{
	struct span id = sql_span(s, 2), service = sql_span(s, 3), instance = sql_span(s, 4),
		    path = sql_span(s, 5), state = sql_span(s, 12);
	if (id.len != sizeof(row->id.bytes) || service.len > NAME_MAX_LEN ||
	    instance.len > NAME_MAX_LEN || path.len > CHUNK_PATH_MAX || state.len > CHUNK_STATE_MAX)
		return -EBADMSG;
	buf_clear(text);
	int e = buf_reserve(text, service.len + instance.len + path.len + state.len + 1);
	if (e < 0)
		return e;
	e = buf_add_span(text, service) | buf_add_span(text, instance) | buf_add_span(text, path) |
	    buf_add_span(text, state);
	assert(e == 0);
	memcpy(row->id.bytes, id.ptr, id.len);
	row->text = text->ptr;
	row->service_len = (uint16_t)service.len;
	row->instance_len = (uint16_t)instance.len;
	row->path_len = (uint16_t)path.len;
	row->state = text->ptr + text->len - state.len;
	row->state_len = (uint16_t)state.len;
	return 0;
}

static int each_stream(sqlite3_stmt *s, const struct ledger_reader *r)
{
	struct buf text = BUF_EMPTY;
	struct stream row = {
		.row = sql_u64(s, 0),
		.ino = sql_decimal(s, 6),
		.btime_ns = sqlite3_column_int64(s, 7),
		.start = sql_u64(s, 8),
		.base = sql_u64(s, 9),
		.offset = sql_u64(s, 10),
		.crc = sql_u64(s, 11),
		.ended = sqlite3_column_int(s, 13),
		.lines = sql_u64(s, 14),
		.dropped = sql_u64(s, 15),
		.stored_bytes = sql_u64(s, 16),
		.lost_bytes = sql_u64(s, 17),
		.born_us = sqlite3_column_int64(s, 18),
		.last_us = sqlite3_column_int64(s, 19),
	};
	int e = read_stream(s, &row, &text);
	if (e == 0)
		e = r->stream(r->user, sql_u64(s, 1), &row);
	buf_free(&text);
	return e;
}

static int each_gap(sqlite3_stmt *s, const struct ledger_reader *r)
{
	struct gap g = {
		.from = sql_u64(s, 1),
		.to = sql_u64(s, 2),
		.base = sql_u64(s, 3),
		.crc_from = sql_u64(s, 4),
		.crc_to = sql_u64(s, 5),
		.crc_to_known = sqlite3_column_type(s, 5) != SQLITE_NULL,
	};
	return r->gap(r->user, sql_u64(s, 0), &g);
}

static int parse_state(struct span text, enum segment_state *ret)
{
	for (size_t i = 0; i < LEDGER_STATES; i++) {
		if (span_is(text, ledger_state_names[i])) {
			*ret = (enum segment_state)i;
			return 0;
		}
	}
	return -EBADMSG;
}

static int each_segment(sqlite3_stmt *s, const struct ledger_reader *r)
{
	struct segment_row row = {
		.service = sql_span(s, 1),
		.host = sql_span(s, 2),
		.number = (uint32_t)sqlite3_column_int64(s, 3),
		.inode = sql_decimal(s, 5),
		.length = sql_u64(s, 6),
		.lines = sql_u64(s, 7),
		.first_us = sqlite3_column_int64(s, 8),
		.last_us = sqlite3_column_int64(s, 9),
		.crc = sql_u64(s, 10),
		.crc_known = sqlite3_column_type(s, 10) != SQLITE_NULL,
	};
	if (civil_parse_day(sql_span(s, 0), &row.day) < 0 || !name_valid(row.service) ||
	    !name_valid_host(row.host) || row.number == 0 || row.length > INT64_MAX)
		return -EBADMSG;
	int e = parse_state(sql_span(s, 4), &row.state);
	return e < 0 ? e : r->segment(r->user, &row);
}

static int read_table(struct ledger *l, const char *query,
		      int (*each)(sqlite3_stmt *s, const struct ledger_reader *r),
		      const struct ledger_reader *reader)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(l->db, query, -1, &s, NULL);
	if (code != SQLITE_OK)
		return sql_errno(code);
	int r = 0;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW)
		r = each(s, reader);
	(void)sqlite3_finalize(s);
	return r < 0 ? r : sql_errno(code);
}

int ledger_read(struct ledger *l, const struct ledger_reader *reader)
{
	int r = read_table(l, "SELECT * FROM host", each_host, reader);
	if (r == 0)
		r = read_table(l, "SELECT * FROM stream", each_stream, reader);
	if (r == 0)
		r = read_table(l, "SELECT * FROM gap", each_gap, reader);
	return r < 0 ? r : ledger_read_segments(l, reader->segment, reader->user);
}

int ledger_read_segments(struct ledger *l, int (*each)(void *user, const struct segment_row *row),
			 void *user)
{
	struct ledger_reader reader = {.segment = each, .user = user};
	return read_table(l, "SELECT * FROM segment ORDER BY day, service, host, number",
			  each_segment, &reader);
}
