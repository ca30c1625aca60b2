/* JSON lines: see stamp_json.h. Called by stamp.c for lines that begin with {.
 *
 * Why bytes at a remembered place can be trusted: a key's opening quote follows { or a comma. In a
 * string a quote has a backslash before it, and behind a string's closing
 * quote no name may follow. So where  ,"ts"  and a colon stand in valid JSON, they are a
 * key. It belongs to the outermost object when no { or [ stands between that one's first byte and
 * the key; or no } or ] between the key and the last byte. That is looked at on the side where the
 * key stands nearer; a bracket in a string costs a full look, no more.
 *
 * The scanner checks no more than it needs to find its way: a line that is cut off or no JSON at
 * all has whatever was found before that showed. It never reads behind the line. */
#include "agent/stamp/stamp_json.h"

#include "agent/stamp/stamp_forms.h"
#include "agent/stamp/stamp_key.h"
#include "common/eight.h"
#include "common/num.h"

#include <yajl/yajl_parse.h>

/* Longer strings are neither keys nor times: 64 characters, each written as \uXXXX. */
#define DECODED_MAX 64
#define RAW_MAX     ((size_t)6 * DECODED_MAX)

#define NESTED_KEYS_MAX 8 /* members of an object that is a time: it has one or two */

/* Is one of two bytes in it that differ in the bit 0x20 only, as { and [ do, and } and ]? `upper`
 * is the one that has it. */
static bool has_bracket(const char *p, const char *end, char upper)
{
	for (; end - p >= 8; p += 8) {
		if (eight_zero_bytes((eight_load(p) | EIGHT_EACH(0x20)) ^
				     EIGHT_EACH((uint8_t)upper)))
			return true;
	}
	for (; p < end; p++) {
		if ((*p | 0x20) == upper)
			return true;
	}
	return false;
}

/* --- the scanner --- */

/* The scanner's steps are worth their price only when the text stays in registers. */
#define SCANNER_INLINE static inline __attribute__((always_inline))

/* The first quote or backslash; `end` when there is none. */
SCANNER_INLINE const char *quote_or_backslash(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t v = eight_load(p);
		uint64_t hits = eight_zero_bytes(v ^ EIGHT_EACH('"')) |
				eight_zero_bytes(v ^ EIGHT_EACH('\\'));
		if (hits)
			return p + __builtin_ctzll(hits) / 8;
	}
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* From behind the opening quote to the closing one; NULL: it is not there. */
SCANNER_INLINE const char *string_end(const char *p, const char *end, bool *ret_escaped)
{
	*ret_escaped = false;
	for (;;) {
		p = quote_or_backslash(p, end);
		if (p == end)
			return NULL;
		if (*p == '"')
			return p;
		*ret_escaped = true;
		if (end - p < 2)
			return NULL;
		p += 2;
	}
}

SCANNER_INLINE void skip_blanks(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
		t->at++;
}

/* A string as it stands in the line, without its quotes. */
struct raw_string {
	struct span bytes;
	bool escaped;
};

SCANNER_INLINE bool take_string(struct text *t, struct raw_string *ret)
{
	if (!text_take(t, '"'))
		return false;
	const char *end = string_end(t->at, t->end, &ret->escaped);
	if (!end)
		return false;
	ret->bytes = span_make(t->at, (size_t)(end - t->at));
	t->at = end + 1;
	return true;
}

/* From { or [ to behind the bracket that closes it; NULL: it is not there. */
static const char *nested_end(const char *at, const char *line_end)
{
	struct text t = {at, line_end};
	struct raw_string s;
	size_t depth = 0;
	while (t.at < t.end) {
		switch (*t.at) {
		case '"':
			if (!take_string(&t, &s))
				return NULL;
			continue;
		case '{':
		case '[': depth++; break;
		case '}':
		case ']':
			if (--depth == 0)
				return t.at + 1;
			break;
		}
		t.at++;
	}
	return NULL;
}

/* A number, true, false or null. */
SCANNER_INLINE struct span take_literal(struct text *t)
{
	const char *first = t->at;
	while (t->at < t->end && (text_is_digit(*t->at) || text_is_letter(*t->at) ||
				  *t->at == '.' || *t->at == '-' || *t->at == '+'))
		t->at++;
	return span_make(first, (size_t)(t->at - first));
}

SCANNER_INLINE bool skip_value(struct text *t)
{
	struct raw_string s;
	char c = text_peek(t);
	if (c == '"')
		return take_string(t, &s);
	if (c != '{' && c != '[')
		return take_literal(t).len > 0;
	t->at = nested_end(t->at, t->end);
	return t->at != NULL;
}

/* From { or a value to the next member: its key; t is at its value then. */
SCANNER_INLINE bool next_member(struct text *t, struct raw_string *key)
{
	skip_blanks(t);
	if (!text_take(t, '{') && !text_take(t, ','))
		return false;
	skip_blanks(t);
	if (!take_string(t, key))
		return false;
	skip_blanks(t);
	if (!text_take(t, ':'))
		return false;
	skip_blanks(t);
	return true;
}

/* --- strings with escapes --- */

struct decoded {
	char bytes[DECODED_MAX];
	size_t len;
};

static int keep_string(void *user, const unsigned char *s, size_t len)
{
	struct decoded *d = user;
	if (len > sizeof(d->bytes))
		return 0;
	memcpy(d->bytes, s, len);
	d->len = len;
	return 1;
}

static bool decode(struct raw_string s, struct decoded *d)
{
	static const yajl_callbacks callbacks = {.yajl_string = keep_string};
	if (s.bytes.len > RAW_MAX)
		return false;
	yajl_handle yajl = yajl_alloc(&callbacks, NULL, d);
	if (!yajl)
		return false;
	/* With its quotes, which stand around it in the line. */
	const unsigned char *quoted = (const unsigned char *)s.bytes.ptr - 1;
	bool good = yajl_parse(yajl, quoted, s.bytes.len + 2) == yajl_status_ok &&
		    yajl_complete_parse(yajl) == yajl_status_ok;
	yajl_free(yajl);
	return good;
}

/* What the string says: itself, or what yajl makes of it, kept in d; empty when that fails. */
static struct span text_of_string(struct raw_string s, struct decoded *d)
{
	if (!s.escaped)
		return s.bytes;
	return decode(s, d) ? span_make(d->bytes, d->len) : span_make("", 0);
}

/* --- values --- */

/* (Not inlined, like all that is not needed for most lines: it would make its caller's frame
 * large.) */
static __attribute__((noinline)) bool read_string(const char *at, const char *line_end,
						  struct moment *m)
{
	struct text t = {at, line_end};
	struct decoded d;
	struct raw_string s;
	return take_string(&t, &s) && stamp_forms_read_value(text_of_string(s, &d), m);
}

static bool read_scalar(const char *at, const char *line_end, bool any_size, struct moment *m)
{
	struct text t = {at, line_end};
	if (text_peek(&t) == '"')
		return read_string(at, line_end, m);
	*m = (struct moment){.kind = MOMENT_EPOCH};
	struct span number = take_literal(&t);
	/* At the very end the line was cut, and perhaps the number. */
	return t.at < t.end && moment_epoch(number, any_size, &m->epoch_us);
}

/* {"$numberLong":"1795327200123"} */
static bool read_number_long(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	struct raw_string key;
	return next_member(&t, &key) && span_is(key.bytes, "$numberLong") &&
	       read_scalar(t.at, t.end, false, m);
}

static bool read_nanoseconds(const char *at, const char *line_end, uint64_t *ret_ns)
{
	struct text t = {at, line_end};
	return num_parse_u64(take_literal(&t), ret_ns) == 0 && *ret_ns < (uint64_t)NUM_SEC_NS;
}

/* {"$date":...}, {"epochSecond":1795327200,"nanoOfSecond":123456789},
 * {"seconds":...,"nanos":...} */
static __attribute__((noinline)) bool read_object(const char *at, const char *line_end,
						  struct moment *m)
{
	struct text t = {at, line_end};
	struct raw_string key;
	bool has_seconds = false;
	uint64_t ns = 0;
	for (int i = 0; i < NESTED_KEYS_MAX && next_member(&t, &key); i++) {
		if (span_is(key.bytes, "$date"))
			return text_peek(&t) == '{' ? read_number_long(t.at, t.end, m)
						    : read_scalar(t.at, t.end, false, m);
		if (span_is(key.bytes, "epochSecond") || span_is(key.bytes, "seconds"))
			has_seconds = read_scalar(t.at, t.end, false, m);
		else if (span_is(key.bytes, "nanoOfSecond") || span_is(key.bytes, "nanos"))
			(void)read_nanoseconds(t.at, t.end, &ns);
		if (!skip_value(&t))
			return false;
	}
	if (has_seconds && m->kind == MOMENT_EPOCH)
		m->epoch_us += (int64_t)(ns / NUM_US_NS);
	return has_seconds;
}

/* Nearly all times in JSON are ISO 8601: taken without a look for the string's end first. */
static bool read_plain_iso(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take(&t, '"'))
		return false;
	*m = (struct moment){0};
	t.at = stamp_read_iso(t.at, t.end, m);
	return t.at && text_peek(&t) == '"';
}

static bool read_value(const char *at, const char *line_end, bool any_size, struct moment *m)
{
	struct text t = {at, line_end};
	if (read_plain_iso(t.at, t.end, m))
		return true;
	return text_peek(&t) == '{' ? read_object(t.at, t.end, m)
				    : read_scalar(t.at, t.end, any_size, m);
}

/* --- finding --- */

/* Is the key with its quote here surely one of the outermost members? Either no object begins
 * between the line's beginning and the key, or none ends between the key and the line's end. */
static bool surely_outermost(struct span object, const char *quote, bool from_end)
{
	if (!from_end)
		return !has_bracket(object.ptr + 1, quote, '{');
	const char *end = object.ptr + object.len;
	while (end > quote && (end[-1] == '\r' || end[-1] == ' '))
		end--;
	return end[-1] == '}' && !has_bracket(quote, end - 1, '}');
}

/* Inlined where memcmp would be a call: keys are short. */
static inline bool same_bytes(const char *a, struct span b)
{
	size_t i = 0;
	while (i < b.len && a[i] == b.ptr[i])
		i++;
	return i == b.len;
}

/* The value, when `key` stands at the place and surely is one of the outermost members; else
 * NULL. */
static const char *value_at_place(struct span object, struct span key,
				  const struct stamp_json_place *place)
{
	size_t at = place->from_end && place->at < object.len ? object.len - place->at : place->at;
	if (at == 0 || object.len < at + key.len + 3)
		return NULL;
	const char *quote = object.ptr + at;
	if (*quote != '"' || quote[1 + key.len] != '"' || !same_bytes(quote + 1, key))
		return NULL;
	const char *before = quote - 1;
	while (before > object.ptr && *before == ' ')
		before--;
	if ((*before != ',' && before != object.ptr) ||
	    !surely_outermost(object, quote, place->from_end))
		return NULL;
	struct text t = {quote + key.len + 2, object.ptr + object.len};
	skip_blanks(&t);
	if (!text_take(&t, ':'))
		return NULL;
	skip_blanks(&t);
	return t.at;
}

static bool read_at_place(struct span object, struct span key, const struct stamp_json_place *place,
			  bool any_size, struct moment *m)
{
	const char *value = value_at_place(object, key, place);
	return value && read_value(value, object.ptr + object.len, any_size, m);
}

/* Counted from the nearer end: what lies on that side is the same in most lines. */
static struct stamp_json_place place_of(struct span object, int key, const char *quote)
{
	size_t at = (size_t)(quote - object.ptr);
	bool from_end = at > object.len / 2;
	return (struct stamp_json_place){key, from_end, from_end ? object.len - at : at};
}

/* The remembered key, wherever it stands now. Both of these look for keys within `reach` bytes; a
 * value may go on behind them. */
static __attribute__((noinline)) bool find_same_key(struct span object, size_t reach,
						    struct span key, const char **ret_quote,
						    struct moment *m)
{
	struct text t = text_of(span_first(object, reach));
	struct raw_string name;
	while (next_member(&t, &name)) {
		if (span_equal(name.bytes, key) &&
		    read_value(t.at, object.ptr + object.len, false, m)) {
			*ret_quote = name.bytes.ptr - 1;
			return true;
		}
		if (!skip_value(&t))
			break;
	}
	return false;
}

/* The most preferred key that has a time. */
static __attribute__((noinline)) int find_best_key(struct span object, size_t reach,
						   const char **ret_quote, struct moment *m)
{
	struct text t = text_of(span_first(object, reach));
	struct raw_string name;
	int best = -1;
	while (best != 0 && next_member(&t, &name)) {
		struct decoded d;
		struct moment candidate;
		int key = stamp_key_find(text_of_string(name, &d));
		if (key >= 0 && (best < 0 || key < best) &&
		    read_value(t.at, object.ptr + object.len, false, &candidate)) {
			*ret_quote = name.bytes.ptr - 1;
			*m = candidate;
			best = key;
		}
		if (!skip_value(&t))
			break;
	}
	return best;
}

bool stamp_json_find(struct span object, size_t reach, struct stamp_json_place *place,
		     struct moment *m)
{
	const char *quote;
	if (reach > object.len)
		reach = object.len;
	if (place->key >= 0) {
		struct span key = stamp_key_name(place->key);
		if (read_at_place(object, key, place, false, m))
			return true;
		if (find_same_key(object, reach, key, &quote, m)) {
			*place = place_of(object, place->key, quote);
			return true;
		}
	}
	int key = find_best_key(object, reach, &quote, m);
	if (key < 0)
		return false;
	*place = place_of(object, key, quote);
	return true;
}

/* Walks the members for `path`; objects that its first words name are walked for the rest. */
static bool find_path(const char *at, const char *line_end, struct span path,
		      const char **ret_quote, struct moment *m)
{
	struct text t = {at, line_end};
	struct raw_string key;
	while (next_member(&t, &key)) {
		struct decoded d;
		struct span name = text_of_string(key, &d);
		*ret_quote = key.bytes.ptr - 1;
		if (span_equal(name, path) && read_value(t.at, t.end, true, m))
			return true;
		bool leads_on = name.len < path.len && path.ptr[name.len] == '.' &&
				span_starts_with(path, name) && text_peek(&t) == '{';
		if (leads_on && find_path(t.at, t.end, span_from(path, name.len + 1), ret_quote, m))
			return true;
		if (!skip_value(&t))
			return false;
	}
	return false;
}

bool stamp_json_find_key(struct span object, struct span path, struct stamp_json_place *place,
			 struct moment *m)
{
	const char *quote;
	if (read_at_place(object, path, place, true, m))
		return true;
	if (!find_path(object.ptr, object.ptr + object.len, path, &quote, m))
		return false;
	*place = place_of(object, -1, quote);
	return true;
}
