/* Records: see json_record.h. One pass of json_read_object; every value is checked and stored as it
 * comes. Decoded strings that do not lie in the text are moved to the scratch buffer, which is
 * given its final size before the first of them, so that they stay where they are. */
#include "common/json_record.h"

#include "common/json.h"
#include "common/num.h"
#include "common/stream_id.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct record {
	struct span text;
	const struct json_field *fields;
	size_t n_fields;
	size_t next; /* keys mostly come in the table's order: the search begins here */
	char *ret;
	uint64_t seen;
	struct buf *scratch;
	const char *why;
	size_t n_unknown;
	struct span unknown[JSON_RECORD_KEYS_MAX]; /* keys, to find one that is repeated */
};

/* Replaces the scratch, as no text in it is needed any more. */
static int malformed(struct record *r, const char *key, const char *what)
{
	buf_clear(r->scratch);
	int result = buf_printf(r->scratch, "%s%s%s", key, *key ? ": " : "", what);
	if (result < 0)
		return result;
	r->why = buf_cstr(r->scratch);
	return r->why ? -EBADMSG : -ENOMEM;
}

/* A decoded string is never longer than it is written, so the text's length is room for all. */
static int keep(struct record *r, struct span s, struct span *ret)
{
	uintptr_t at = (uintptr_t)s.ptr, begin = (uintptr_t)r->text.ptr;
	if (at >= begin && at < begin + r->text.len) {
		*ret = s;
		return 0;
	}
	if (r->scratch->len == 0) {
		int result = buf_reserve(r->scratch, r->text.len);
		if (result < 0)
			return result;
	}
	*ret = span_make(r->scratch->ptr + r->scratch->len, s.len);
	return buf_add_span(r->scratch, s);
}

static int store_text(struct record *r, const struct json_field *f, struct span s)
{
	if (s.len > f->max)
		return malformed(r, f->key, "too long");
	if (f->form == JSON_FIELD_NO_NUL && span_find(s, '\0') < s.len)
		return malformed(r, f->key, "a NUL in it");
	struct span kept;
	int result = keep(r, s, &kept);
	if (result == 0)
		memcpy(r->ret + f->offset, &kept, sizeof(kept));
	return result;
}

static int store(struct record *r, const struct json_field *f, struct json_value v)
{
	void *dst = r->ret + f->offset;
	bool is_string = v.type == JSON_STRING;
	switch (f->form) {
	case JSON_FIELD_TEXT:
	case JSON_FIELD_NO_NUL:
		return is_string ? store_text(r, f, v.text) : malformed(r, f->key, "not a string");
	case JSON_FIELD_STREAM:
		if (!is_string || stream_id_parse(v.text, dst) < 0)
			return malformed(r, f->key, "not a string of 32 lower-case hex digits");
		return 0;
	case JSON_FIELD_HEX64:
		if (!is_string || num_parse_hex64(v.text, dst) < 0)
			return malformed(r, f->key, "not a string of 16 lower-case hex digits");
		return 0;
	case JSON_FIELD_NUMBER:
		if (v.type != JSON_NUMBER || num_parse_u64(v.text, dst) < 0)
			return malformed(r, f->key, "not a whole number below 2^64");
		return 0;
	case JSON_FIELD_NUMBER_TEXT:
		if (!is_string || num_parse_u64(v.text, dst) < 0)
			return malformed(r, f->key, "not a string of decimal digits, below 2^64");
		return 0;
	case JSON_FIELD_SIGNED_TEXT:
		if (!is_string || num_parse_i64(v.text, dst) < 0)
			return malformed(r, f->key, "not a string of decimal digits, below 2^63");
		return 0;
	case JSON_FIELD_BOOL:
		if (v.type != JSON_BOOL)
			return malformed(r, f->key, "neither true nor false");
		*(bool *)dst = span_is(v.text, "true");
		return 0;
	}
	return -EINVAL;
}

static int on_key(void *user, struct span key, struct json_value v)
{
	struct record *r = user;
	for (size_t tried = 0; tried < r->n_fields; tried++) {
		size_t i = (r->next + tried) % r->n_fields;
		if (!span_is(key, r->fields[i].key))
			continue;
		if (r->seen >> i & 1)
			return malformed(r, r->fields[i].key, "repeated");
		r->seen |= UINT64_C(1) << i;
		r->next = i + 1;
		return store(r, &r->fields[i], v);
	}
	if (r->n_unknown == JSON_RECORD_KEYS_MAX)
		return malformed(r, "", "too many keys");
	return keep(r, key, &r->unknown[r->n_unknown++]);
}

static int compare_keys(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->len ? memcmp(x->ptr, y->ptr, x->len) : 0;
}

static int check_keys(struct record *r)
{
	for (size_t i = 0; i < r->n_fields; i++)
		if (r->fields[i].required && !(r->seen >> i & 1))
			return malformed(r, r->fields[i].key, "missing");
	if (r->n_unknown > 1)
		qsort(r->unknown, r->n_unknown, sizeof(*r->unknown), compare_keys);
	for (size_t i = 1; i < r->n_unknown; i++)
		if (span_equal(r->unknown[i - 1], r->unknown[i]))
			return malformed(r, "", "an unknown key is repeated");
	return 0;
}

int json_record_read(struct span text, const struct json_field *fields, size_t n_fields, void *ret,
		     uint64_t *ret_seen, struct buf *scratch, const char **ret_why)
{
	assert(n_fields <= JSON_RECORD_FIELDS_MAX);
	struct record r; /* not cleared as a whole: `unknown` is large */
	r.text = text;
	r.fields = fields;
	r.n_fields = n_fields;
	r.next = 0;
	r.ret = ret;
	r.seen = 0;
	r.scratch = scratch;
	r.why = NULL;
	r.n_unknown = 0;
	buf_clear(scratch);
	int result = json_read_object(text, on_key, &r);
	if (result == 0)
		result = check_keys(&r);
	if (result == -EBADMSG && !r.why)
		result = malformed(&r, "", "not a JSON object");
	if (result == -EBADMSG)
		*ret_why = r.why;
	else if (result == 0)
		*ret_seen = r.seen;
	return result;
}
