/* JSON: see json.h. Chunk headers, answers, rows of streams and the status pages pass through here;
 * log lines do not.
 *
 * yajl does the grammar. Its ways that we do not want are dealt with in this file:
 * - It takes overlong and other ill-formed UTF-8, and \v and \f as white space.
 * check_text looks at all bytes first.
 * - It makes "?" or worse of half a surrogate pair, and pairs a high half with whatever
 * \u follows. check_text finds those escapes; they are parsed as \ufffd, in a copy.
 * - It does not look at what its allocator returns. It gets memory from an arena that
 * holds all it can ever ask for (arena_size), and that is asked for in one piece. Small texts need
 * none.
 * - It wants a call at the end to see that the text ended well. We stop it at the bracket
 * that closes the outermost value, and look at the rest ourselves. */
#include "common/json.h"

#include "common/line_scan.h"
#include "common/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <yajl/yajl_parse.h>

static const char HEX[] = "0123456789abcdef";

/* ---- Memory ---- */

enum {
	ARENA_ALIGN = 16,
	ARENA_FIXED = 1024, /* yajl's handle, lexer and stack (128 bytes: twice the depth) */
	YAJL_BUF_FIRST = 2048,
	ARENA_SMALL = 16 * 1024, /* on the stack: for texts of 1,800 bytes */
};

struct arena {
	char *ptr;
	size_t used, size;
};

/* Each of yajl's two buffers begins with YAJL_BUF_FIRST bytes and doubles until a string fits, to
 * less than twice its length; the arena takes nothing back, so all sizes add up, to four times the
 * length. One buffer holds decoded strings, the other what the end of the text cut off: together
 * they are no longer than the text. Then there are our copies of the text and of a key. */
static size_t arena_size(size_t text_len)
{
	size_t buffers = 4 * text_len + 2 * (size_t)YAJL_BUF_FIRST;
	size_t copies = 2 * (text_len + ARENA_ALIGN);
	return ARENA_FIXED + buffers + copies;
}

static void *arena_alloc(void *user, size_t size)
{
	struct arena *a = user;
	size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	assert(size <= a->size - a->used);
	void *ptr = a->ptr + a->used;
	a->used += size;
	return ptr;
}

/* yajl's buffers only grow. What lies behind an old block is the arena's too, so as many bytes as
 * the new one has may be copied. */
static void *arena_realloc(void *user, void *old, size_t size)
{
	struct arena *a = user;
	char *ptr = arena_alloc(a, size);
	if (old) {
		size_t there = (size_t)(ptr - (char *)old);
		memcpy(ptr, old, there < size ? there : size);
	}
	return ptr;
}

static void arena_free(void *user, void *ptr)
{
	(void)user;
	(void)ptr;
}

/* ---- Before yajl ---- */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Is there \uXXXX at `at`? Its code is that of a surrogate's half if `high` to `high` + 3ff. */
static bool is_unicode_escape(struct span text, size_t at)
{
	return text.len - at >= 6 && text.ptr[at] == '\\' && text.ptr[at + 1] == 'u' &&
	       is_hex(text.ptr[at + 2]) && is_hex(text.ptr[at + 3]) && is_hex(text.ptr[at + 4]) &&
	       is_hex(text.ptr[at + 5]);
}

/* Of a surrogate pair: \ud800 to \udbff, \udc00 to \udfff. */
enum half { HALF_NONE, HALF_HIGH, HALF_LOW };

static enum half half_at(struct span text, size_t at)
{
	if (!is_unicode_escape(text, at) || (text.ptr[at + 2] | 0x20) != 'd')
		return HALF_NONE;
	char digit = (char)(text.ptr[at + 3] | 0x20);
	if (digit < '8')
		return HALF_NONE; /* \ud000 to \ud7ff */
	return digit < 'c' ? HALF_HIGH : HALF_LOW;
}

struct checked {
	struct span text;
	/* text, or a copy of the same length where half pairs are \ufffd */
	struct span parsed;
};

static void replace_escape(struct checked *c, size_t at, struct arena *a)
{
	if (c->parsed.ptr == c->text.ptr) {
		char *copy = arena_alloc(a, c->text.len);
		memcpy(copy, c->text.ptr, c->text.len);
		c->parsed.ptr = copy;
	}
	memcpy((char *)(uintptr_t)c->parsed.ptr + at + 2, "fffd", 4);
}

/* Looks at the backslash at `at`, which only strings have, and returns how many bytes it spans. */
static size_t check_escape(struct checked *c, size_t at, struct arena *a)
{
	switch (half_at(c->text, at)) {
	case HALF_NONE: return c->text.len - at >= 2 ? 2 : 1;
	case HALF_HIGH:
		if (half_at(c->text, at + 6) == HALF_LOW)
			return 12;
		replace_escape(c, at, a);
		return 6;
	case HALF_LOW: replace_escape(c, at, a); return 6;
	}
	return 1;
}

/* False when there are bytes that no JSON has. */
static bool check_text(struct checked *c, struct arena *a)
{
	size_t at = 0;
	for (;;) {
		at += line_scan_plain(span_from(c->text, at));
		if (at == c->text.len)
			return true;
		uint32_t code;
		size_t n = utf8_take(span_from(c->text, at), &code);
		if (n == 0 || (code < 0x20 && code != '\n' && code != '\r'))
			return false;
		at += code == '\\' ? check_escape(c, at, a) : n;
	}
}

/* ---- Reading ---- */

typedef int each_value(void *user, struct span key, struct json_value v);

struct reader {
	each_value *each;
	void *user;
	bool wants_array;
	struct checked checked;
	struct arena arena;
	yajl_handle yajl;
	unsigned depth;
	struct span key;
	char *key_copy;      /* as long as the text; NULL until needed */
	size_t nested_start; /* where the value at depth 1 begins that is being skipped */
	size_t end;          /* behind the outermost value; 0: not reached */
	int error;
};

/* Returns yajl's go on. */
static int stop(struct reader *r, int error)
{
	r->error = error;
	return 0;
}

static int give(struct reader *r, enum json_type type, struct span text)
{
	if (r->depth == 0) /* a lone string or number */
		return stop(r, -EBADMSG);
	if (r->depth > 1)
		return 1;
	int result = r->each(r->user, r->key, (struct json_value){type, text});
	return result < 0 ? stop(r, result) : 1;
}

static int on_null(void *user)
{
	return give(user, JSON_NULL, SPAN_LITERAL("null"));
}

static int on_bool(void *user, int value)
{
	return give(user, JSON_BOOL, span_of(value ? "true" : "false"));
}

static int on_number(void *user, const char *ptr, size_t len)
{
	return give(user, JSON_NUMBER, span_make(ptr, len));
}

static int on_string(void *user, const unsigned char *ptr, size_t len)
{
	return give(user, JSON_STRING, span_make((const char *)ptr, len));
}

static int on_start(struct reader *r, bool array)
{
	if (r->depth == 0 && array != r->wants_array)
		return stop(r, -EBADMSG);
	if (r->depth == JSON_DEPTH_MAX)
		return stop(r, -EBADMSG);
	if (r->depth == 1)
		r->nested_start = yajl_get_bytes_consumed(r->yajl) - 1;
	r->depth++;
	return 1;
}

static int on_start_object(void *user)
{
	return on_start(user, false);
}

static int on_start_array(void *user)
{
	return on_start(user, true);
}

static int on_end(void *user)
{
	struct reader *r = user;
	size_t end = yajl_get_bytes_consumed(r->yajl);
	r->depth--;
	if (r->depth == 0) {
		r->end = end;
		return 0;
	}
	if (r->depth > 1)
		return 1;
	return give(r, JSON_NESTED,
		    span_make(r->checked.text.ptr + r->nested_start, end - r->nested_start));
}

/* A key with escapes stands in yajl's buffer, where the value may replace it. */
static int on_key(void *user, const unsigned char *ptr, size_t len)
{
	struct reader *r = user;
	if (r->depth > 1)
		return 1;
	struct span parsed = r->checked.parsed;
	uintptr_t key = (uintptr_t)ptr, begin = (uintptr_t)parsed.ptr;
	if (key >= begin && key < begin + parsed.len) {
		r->key = span_make((const char *)ptr, len);
		return 1;
	}
	if (!r->key_copy)
		r->key_copy = arena_alloc(&r->arena, parsed.len);
	if (len)
		memcpy(r->key_copy, ptr, len);
	r->key = span_make(r->key_copy, len);
	return 1;
}

static bool is_white(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != ' ' && s.ptr[i] != '\t' && s.ptr[i] != '\r' && s.ptr[i] != '\n')
			return false;
	return true;
}

static int read_text(struct reader *r)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_bool,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_start_object,
		.yajl_map_key = on_key,
		.yajl_end_map = on_end,
		.yajl_start_array = on_start_array,
		.yajl_end_array = on_end,
	};
	if (!check_text(&r->checked, &r->arena))
		return -EBADMSG;
	yajl_alloc_funcs memory = {arena_alloc, arena_realloc, arena_free, &r->arena};
	r->yajl = yajl_alloc(&callbacks, &memory, r);
	yajl_config(r->yajl, yajl_dont_validate_strings, 1);
	struct span text = r->checked.parsed;
	(void)yajl_parse(r->yajl, (const unsigned char *)text.ptr, text.len);
	if (r->error)
		return r->error;
	return r->end && is_white(span_from(text, r->end)) ? 0 : -EBADMSG;
}

static int read_value(struct span text, bool array, each_value *each, void *user)
{
	if (text.len == 0 || text.len > JSON_TEXT_MAX)
		return -EBADMSG;
	_Alignas(ARENA_ALIGN) char small[ARENA_SMALL];
	struct reader r = {
		.each = each,
		.user = user,
		.wants_array = array,
		.checked = {text, text},
		.arena = {.ptr = small, .size = sizeof(small)},
	};
	char *large = NULL;
	if (arena_size(text.len) > sizeof(small)) {
		r.arena.size = arena_size(text.len);
		r.arena.ptr = large = malloc(r.arena.size);
		if (!large)
			return -ENOMEM;
	}
	int result = read_text(&r);
	free(large);
	return result;
}

int json_read_object(struct span text, each_value *each, void *user)
{
	return read_value(text, false, each, user);
}

int json_read_array(struct span text, each_value *each, void *user)
{
	return read_value(text, true, each, user);
}

/* ---- Writing ---- */

enum { ESCAPE_MAX = 6 };

/* What stands for the first character of `s`, up to ESCAPE_MAX bytes; `ret_taken` bytes of s. */
static size_t escape_first(struct span s, char dst[ESCAPE_MAX], size_t *ret_taken)
{
	uint32_t code;
	size_t n = utf8_take(s, &code);
	unsigned char c = (unsigned char)s.ptr[0];
	*ret_taken = n ? n : 1;
	if (n == 0) {
		memcpy(dst, (char[]){'\\', '\\', 'x', HEX[c >> 4], HEX[c & 15]}, 5);
		return 5;
	}
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	for (size_t i = 0; i < sizeof(shorts) - 1; i += 2) {
		if (code == (unsigned char)shorts[i]) {
			memcpy(dst, (char[]){'\\', shorts[i + 1]}, 2);
			return 2;
		}
	}
	if (code < 0x20) {
		memcpy(dst, (char[]){'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]}, 6);
		return 6;
	}
	memcpy(dst, s.ptr, n);
	return n;
}

/* How many bytes stand for themselves. */
static size_t plain_run(struct span s)
{
	size_t n = 0;
	while (n < s.len && s.ptr[n] >= 0x20 && s.ptr[n] < 0x7f && s.ptr[n] != '"' &&
	       s.ptr[n] != '\\')
		n++;
	return n;
}

static int add_escaped(struct buf *out, struct span s)
{
	int r = buf_add_char(out, '"');
	while (r == 0 && s.len) {
		size_t run = plain_run(s);
		r = buf_add_span(out, span_first(s, run));
		s = span_from(s, run);
		if (r < 0 || s.len == 0)
			break;
		char escape[ESCAPE_MAX];
		size_t taken;
		size_t n = escape_first(s, escape, &taken);
		r = buf_add(out, escape, n);
		s = span_from(s, taken);
	}
	return r < 0 ? r : buf_add_char(out, '"');
}

int json_add_string(struct buf *out, struct span s)
{
	size_t before = out->len;
	int r = add_escaped(out, s);
	if (r < 0)
		out->len = before;
	return r;
}

size_t json_fit_string(struct span s, size_t room)
{
	size_t taken = 0;
	while (taken < s.len) {
		size_t run = plain_run(span_from(s, taken));
		run = run < room ? run : room;
		taken += run;
		room -= run;
		if (taken == s.len)
			break;
		char escape[ESCAPE_MAX];
		size_t n;
		size_t written = escape_first(span_from(s, taken), escape, &n);
		if (written > room)
			break;
		room -= written;
		taken += n;
	}
	return taken;
}
