/* The wire contract's JSON: see chunk.h. The agent writes headers and reads rows (and answers:
 * answer.c), the collector does the reverse. Field tables say what each record has; what they
 * cannot say, ranges above all, is checked behind them. */
#include "common/chunk.h"

#include "common/json.h"
#include "common/json_record.h"
#include "common/name.h"
#include "common/num.h"

#include <errno.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* ---- Writing ---- */

/* A piece of a record that is being written: the first error stays. */
struct writer {
	struct buf *out;
	int error;
};

static void put(struct writer *w, const char *text)
{
	if (w->error == 0)
		w->error = buf_add_str(w->out, text);
}

/* `begin` is `{"key":` or `,"key":`. */
static void put_string(struct writer *w, const char *begin, struct span s)
{
	put(w, begin);
	if (w->error == 0)
		w->error = json_add_string(w->out, s);
}

static void put_number(struct writer *w, const char *begin, uint64_t v)
{
	put(w, begin);
	if (w->error == 0)
		w->error = buf_add_u64(w->out, v);
}

static void put_number_text(struct writer *w, const char *begin, uint64_t v)
{
	put(w, begin);
	put_number(w, "\"", v);
	put(w, "\"");
}

static void put_signed_text(struct writer *w, const char *begin, int64_t v)
{
	put(w, begin);
	put_number(w, v < 0 ? "\"-" : "\"", v < 0 ? -(uint64_t)v : (uint64_t)v);
	put(w, "\"");
}

/* A string in which nothing is to be escaped; the last byte of `digits` is for its quote. */
static void put_digits(struct writer *w, const char *begin, char *digits, size_t size)
{
	put(w, begin);
	put(w, "\"");
	digits[size - 1] = '"';
	if (w->error == 0)
		w->error = buf_add(w->out, digits, size);
}

static void put_hex64(struct writer *w, const char *begin, uint64_t v)
{
	char digits[16 + 1];
	num_format_hex64(digits, v);
	put_digits(w, begin, digits, sizeof(digits));
}

static void put_stream(struct writer *w, const char *begin, const struct stream_id *id)
{
	char digits[STREAM_ID_HEX + 1];
	stream_id_format(digits, id);
	put_digits(w, begin, digits, sizeof(digits));
}

/* What was appended, or nothing: `before` is the length that `out` had. */
static int written(struct writer *w, size_t before)
{
	if (w->error < 0)
		w->out->len = before;
	return w->error;
}

/* ---- Headers ---- */

static void put_header(struct writer *w, const struct chunk *c, struct span path)
{
	put_stream(w, "{\"stream\":", &c->stream);
	put_string(w, ",\"host\":", c->host);
	put_string(w, ",\"service\":", c->service);
	put_string(w, ",\"instance\":", c->instance);
	put_string(w, ",\"path\":", path);
	put_number_text(w, ",\"ino\":", c->ino);
	put_signed_text(w, ",\"btime\":", c->btime_ns);
	put_number(w, ",\"start\":", c->start);
	put_number(w, ",\"from\":", c->from);
	put_number(w, ",\"to\":", c->to);
	put_number(w, ",\"base\":", c->base);
	put_hex64(w, ",\"crc_from\":", c->crc_from);
	put_hex64(w, ",\"crc\":", c->crc);
	put_number(w, ",\"lines\":", c->lines);
	put_number(w, ",\"dropped\":", c->dropped);
	put_string(w, ",\"state\":", c->state);
	if (c->loss.len)
		put_string(w, ",\"loss\":", c->loss);
	if (c->repair)
		put(w, ",\"repair\":true");
	if (c->ended)
		put(w, ",\"ended\":true");
	put_number(w, ",\"bytes\":", c->bytes);
	put(w, "}\n");
}

int chunk_encode(const struct chunk *c, struct buf *out)
{
	size_t before = out->len;
	size_t room = CHUNK_PATH_MAX;
	for (;;) {
		struct writer w = {.out = out};
		put_header(&w, c, span_first(c->path, json_fit_string(c->path, room)));
		int r = written(&w, before);
		if (r < 0 || out->len - before <= CHUNK_HEADER_MAX)
			return r;
		size_t excess = out->len - before - CHUNK_HEADER_MAX;
		out->len = before;
		if (excess > room)
			return -EMSGSIZE;
		room -= excess;
	}
}

enum chunk_key {
	STREAM,
	HOST,
	SERVICE,
	INSTANCE,
	PATH,
	INO,
	BTIME,
	START,
	FROM,
	TO,
	BASE,
	CRC_FROM,
	CRC,
	LINES,
	DROPPED,
	STATE,
	LOSS,
	REPAIR,
	ENDED,
	BYTES,
};

#define AT(field) offsetof(struct chunk, field)
static const struct json_field CHUNK_FIELDS[] = {
	[STREAM] = {"stream", JSON_FIELD_STREAM, true, AT(stream), 0},
	[HOST] = {"host", JSON_FIELD_TEXT, true, AT(host), CHUNK_HEADER_MAX},
	[SERVICE] = {"service", JSON_FIELD_TEXT, true, AT(service), CHUNK_HEADER_MAX},
	[INSTANCE] = {"instance", JSON_FIELD_TEXT, true, AT(instance), CHUNK_HEADER_MAX},
	[PATH] = {"path", JSON_FIELD_NO_NUL, true, AT(path), CHUNK_PATH_MAX},
	[INO] = {"ino", JSON_FIELD_NUMBER_TEXT, true, AT(ino), 0},
	[BTIME] = {"btime", JSON_FIELD_SIGNED_TEXT, true, AT(btime_ns), 0},
	[START] = {"start", JSON_FIELD_NUMBER, true, AT(start), 0},
	[FROM] = {"from", JSON_FIELD_NUMBER, true, AT(from), 0},
	[TO] = {"to", JSON_FIELD_NUMBER, true, AT(to), 0},
	[BASE] = {"base", JSON_FIELD_NUMBER, false, AT(base), 0},
	[CRC_FROM] = {"crc_from", JSON_FIELD_HEX64, true, AT(crc_from), 0},
	[CRC] = {"crc", JSON_FIELD_HEX64, true, AT(crc), 0},
	[LINES] = {"lines", JSON_FIELD_NUMBER, true, AT(lines), 0},
	[DROPPED] = {"dropped", JSON_FIELD_NUMBER, false, AT(dropped), 0},
	[STATE] = {"state", JSON_FIELD_TEXT, false, AT(state), CHUNK_STATE_MAX},
	[LOSS] = {"loss", JSON_FIELD_TEXT, false, AT(loss), CHUNK_LOSS_MAX},
	[REPAIR] = {"repair", JSON_FIELD_BOOL, false, AT(repair), 0},
	[ENDED] = {"ended", JSON_FIELD_BOOL, false, AT(ended), 0},
	[BYTES] = {"bytes", JSON_FIELD_NUMBER, true, AT(bytes), 0},
};
#undef AT

static bool is_loss_cause(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.ptr[i] < 'a' || s.ptr[i] > 'z') && s.ptr[i] != '_')
			return false;
	return s.len > 0;
}

/* What is wrong with the values together; NULL: nothing. */
static const char *check_ranges(const struct chunk *c, bool loss)
{
	if (c->start > c->from)
		return "from lies before start";
	if (c->from > c->to)
		return "to lies before from";
	if (loss && !is_loss_cause(c->loss))
		return "loss: not a word of a to z and _";
	if (c->base > (loss ? c->to : c->from))
		return loss ? "base lies behind to" : "base lies behind from";
	if (loss && (c->lines || c->bytes))
		return "a loss has no lines";
	return NULL;
}

static int tell(struct buf *scratch, const char *what, const char **ret_why)
{
	buf_clear(scratch);
	int r = buf_add_str(scratch, what);
	const char *text = r < 0 ? NULL : buf_cstr(scratch);
	if (!text)
		return r < 0 ? r : -ENOMEM;
	*ret_why = text;
	return -EBADMSG;
}

int chunk_decode(struct span header, struct buf *scratch, struct chunk *ret, const char **ret_why)
{
	if (header.len >= CHUNK_HEADER_MAX)
		return tell(scratch, "the header is longer than 8 KiB", ret_why);
	struct chunk c = {0};
	uint64_t seen;
	int r = json_record_read(header, CHUNK_FIELDS, COUNT(CHUNK_FIELDS), &c, &seen, scratch,
				 ret_why);
	if (r < 0)
		return r;
	if (!(seen >> BASE & 1))
		c.base = c.start;
	const char *what = check_ranges(&c, seen >> LOSS & 1);
	if (what)
		return tell(scratch, what, ret_why);
	*ret = c;
	return 0;
}

/* ---- Answers ---- */

static const char *const STATUS_NAMES[] = {
	[CHUNK_COMMITTED] = "committed",
	[CHUNK_DUPLICATE] = "duplicate",
	[CHUNK_CONFLICT] = "conflict",
	[CHUNK_REFUSED] = "refused",
};

const char *chunk_status_name(enum chunk_status status)
{
	return STATUS_NAMES[status];
}

int chunk_encode_answer(const struct chunk_verdict *v, size_t n, struct buf *out)
{
	size_t before = out->len;
	struct writer w = {.out = out};
	put(&w, "{\"chunks\":[");
	for (size_t i = 0; i < n; i++) {
		put_stream(&w, i ? ",{\"stream\":" : "{\"stream\":", &v[i].stream);
		put_string(&w, ",\"status\":", span_of(chunk_status_name(v[i].status)));
		put_number(&w, ",\"offset\":", v[i].offset);
		put_hex64(&w, ",\"crc\":", v[i].crc);
		if (v[i].error)
			put_string(&w, ",\"error\":", span_of(v[i].error));
		put(&w, "}");
	}
	put(&w, "]}\n");
	return written(&w, before);
}

/* ---- Rows of streams ---- */

int stream_row_encode(const struct stream_row *row, struct buf *out)
{
	size_t before = out->len;
	struct writer w = {.out = out};
	put_stream(&w, "{\"stream\":", &row->stream);
	put_string(&w, ",\"service\":", row->service);
	put_string(&w, ",\"instance\":", row->instance);
	put_string(&w, ",\"path\":", row->path);
	put_number_text(&w, ",\"ino\":", row->ino);
	put_signed_text(&w, ",\"btime\":", row->btime_ns);
	put_number(&w, ",\"start\":", row->start);
	put_number(&w, ",\"base\":", row->base);
	put_number(&w, ",\"offset\":", row->offset);
	put_hex64(&w, ",\"crc\":", row->crc);
	put_string(&w, ",\"state\":", row->state);
	put(&w, row->ended ? ",\"ended\":true}\n" : ",\"ended\":false}\n");
	return written(&w, before);
}

#define AT(field) offsetof(struct stream_row, field)
static const struct json_field ROW_FIELDS[] = {
	{"stream", JSON_FIELD_STREAM, true, AT(stream), 0},
	{"service", JSON_FIELD_TEXT, true, AT(service), NAME_MAX_LEN},
	{"instance", JSON_FIELD_TEXT, true, AT(instance), NAME_MAX_LEN},
	{"path", JSON_FIELD_NO_NUL, true, AT(path), CHUNK_PATH_MAX},
	{"ino", JSON_FIELD_NUMBER_TEXT, true, AT(ino), 0},
	{"btime", JSON_FIELD_SIGNED_TEXT, true, AT(btime_ns), 0},
	{"start", JSON_FIELD_NUMBER, true, AT(start), 0},
	{"base", JSON_FIELD_NUMBER, true, AT(base), 0},
	{"offset", JSON_FIELD_NUMBER, true, AT(offset), 0},
	{"crc", JSON_FIELD_HEX64, true, AT(crc), 0},
	{"state", JSON_FIELD_TEXT, true, AT(state), CHUNK_STATE_MAX},
	{"ended", JSON_FIELD_BOOL, true, AT(ended), 0},
};
#undef AT

int stream_row_decode(struct span line, struct buf *scratch, struct stream_row *ret,
		      const char **ret_why)
{
	struct stream_row row = {0};
	uint64_t seen;
	int r = json_record_read(line, ROW_FIELDS, COUNT(ROW_FIELDS), &row, &seen, scratch,
				 ret_why);
	if (r < 0)
		return r;
	if (row.start > row.offset)
		return tell(scratch, "offset lies before start", ret_why);
	if (row.base > row.offset)
		return tell(scratch, "base lies behind offset", ret_why);
	*ret = row;
	return 0;
}
