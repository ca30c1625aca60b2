/* PCRE2 behind regex.h: the only file of the agent that includes it. Called by the filter and the
 * classifier. Match limits are PCRE2's defaults: a line on which a pattern explodes costs a bounded
 * time and the caller decides what is safe then. */
#include "agent/lines/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	uint32_t groups;
};

static bool wants_utf(const char *pattern)
{
	for (const char *p = pattern; *p; p++)
		if ((unsigned char)*p >= 0x80)
			return true;
	return strstr(pattern, "\\p") || strstr(pattern, "\\P") || strstr(pattern, "\\X") ||
	       strstr(pattern, "\\x{");
}

int regex_new(const char *pattern, struct regex **ret, char *ret_why, size_t why_size)
{
	int error;
	PCRE2_SIZE at;
	uint32_t flags = wants_utf(pattern) ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : 0;
	struct regex *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), flags, &error, &at, NULL);
	if (!r->code) {
		PCRE2_UCHAR text[128];
		(void)pcre2_get_error_message(error, text, sizeof(text));
		(void)snprintf(ret_why, why_size, "%s at offset %zu", (char *)text, at);
		free(r);
		return -EINVAL;
	}
	/* Without JIT it is slower, not wrong. */
	(void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	(void)pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->groups);
	r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
	if (!r->match) {
		regex_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_match_data_free(r->match);
	pcre2_code_free(r->code);
	free(r);
}

/* PCRE2 wants a pointer even for no bytes. */
static PCRE2_SPTR subject(struct span text)
{
	return (PCRE2_SPTR)(text.ptr ? text.ptr : "");
}

static int match_at(struct regex *r, struct span text, size_t at, uint32_t options)
{
	int n = pcre2_match(r->code, subject(text), text.len, at, options, r->match, NULL);
	if (n >= 0)
		return 1;
	return n == PCRE2_ERROR_NOMATCH ? 0 : -EOVERFLOW;
}

int regex_match(struct regex *r, struct span text)
{
	return match_at(r, text, 0, 0);
}

static int add_range(struct buf *out, size_t from, size_t to)
{
	struct regex_range range = {from, to};
	return from < to ? buf_add(out, &range, sizeof(range)) : 0;
}

static int add_match(const struct regex *r, const PCRE2_SIZE *v, struct buf *out)
{
	bool any = false;
	int e = 0;
	for (uint32_t g = 1; g <= r->groups && e == 0; g++) {
		if (v[2 * g] == PCRE2_UNSET)
			continue;
		any = true;
		e = add_range(out, v[2 * g], v[2 * g + 1]);
	}
	return any ? e : add_range(out, v[0], v[1]);
}

/* Behind an empty match the search goes on at the same place, for one that is not empty. */
int regex_find_all(struct regex *r, struct span text, struct buf *out)
{
	uint32_t options = 0;
	for (size_t at = 0; at <= text.len;) {
		int found = match_at(r, text, at, options);
		if (found <= 0)
			return found;
		const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);
		int e = add_match(r, v, out);
		if (e < 0)
			return e;
		at = v[1] > at || !options ? v[1] : at + 1;
		options = v[1] > v[0] ? 0 : PCRE2_NOTEMPTY_ATSTART;
	}
	return 0;
}
