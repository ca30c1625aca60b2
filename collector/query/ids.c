/* Ids beside an id: see ids.h. Called by trace --follow-ids.
 *
 * Only names that stand for one request are followed: a user or an order has a story of another
 * kind, which would drag half the archive in. */
#include "collector/query/ids.h"

#include "common/logfmt.h"

#include <errno.h>

enum { LEN_MIN = 6, NAME_MAX_BYTES = 32 };

/* Lower case, without what parts words: requestId, request_id and X-Request-ID are one. */
static bool is_id_name(struct span name)
{
	static const char *const names[] = {"requestid",      "reqid",         "xrequestid",
					    "traceid",        "xtraceid",      "correlationid",
					    "xcorrelationid", "transactionid", "operationid"};
	char plain[NAME_MAX_BYTES + 1];
	size_t n = 0;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (c == '_' || c == '-' || c == '.')
			continue;
		if (n == NAME_MAX_BYTES)
			return false;
		plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	plain[n] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(plain, names[i]) == 0)
			return true;
	return false;
}

int ids_add(struct ids *ids, struct span id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (span_equal(buf_span(&ids->texts[i]), id))
			return 0;
	if (ids->n == IDS_MAX) {
		ids->full = true;
		return 0;
	}
	int r = buf_add_span(&ids->texts[ids->n], id);
	if (r == 0)
		ids->n++;
	return r;
}

static int consider(struct ids *ids, struct span name, struct span value)
{
	if (value.len < LEN_MIN || value.len > IDS_LEN_MAX || !is_id_name(name))
		return 0;
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] <= ' ' || value.ptr[i] == '\\')
			return 0;
	return ids_add(ids, value);
}

int ids_add_from(struct ids *ids, struct span line, struct field_scratch *scratch)
{
	struct span message, name, value;
	struct json_found found;
	size_t at = 0;
	int r = field_message(line, scratch, &message);
	if (r < 0)
		return r;
	if (message.len && message.ptr[0] == '{') {
		while (r == 0 && jsonscan_member(message, &at, &name, &found) == 1)
			if (found.kind == JSONSCAN_STRING || found.kind == JSONSCAN_NUMBER)
				r = consider(ids, name, found.text);
		return r;
	}
	while (r == 0 && logfmt_next(message, &at, &name, &value)) {
		buf_clear(&scratch->value);
		r = logfmt_unquote(value, &scratch->value, &value);
		if (r == 0)
			r = consider(ids, name, value);
	}
	return r;
}

int ids_pattern(const struct ids *ids, struct buf *ret)
{
	int r = 0;
	buf_clear(ret);
	for (size_t i = 0; r == 0 && i < ids->n; i++) {
		struct span id = buf_span(&ids->texts[i]);
		if (i)
			r = buf_add_char(ret, '|');
		for (size_t k = 0; r == 0 && k < id.len; k++) {
			char c = id.ptr[k];
			bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				     (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
			if (!plain)
				r = buf_add_char(ret, '\\');
			if (r == 0)
				r = buf_add_char(ret, c);
		}
	}
	return r < 0 || buf_cstr(ret) ? r : -ENOMEM;
}

void ids_free(struct ids *ids)
{
	for (size_t i = 0; i < IDS_MAX; i++)
		buf_free(&ids->texts[i]);
	ids->n = 0;
}
