/* PCRE2 behind regex.h: the only file of the agent that includes it. Called by the filter
 * and the classifier. Match limits are PCRE2's defaults: a line on which a pattern
 * explodes costs a bounded time and the caller decides what is safe then. */
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

/* Masks what one match says, from *copied on; moves *copied behind it. Groups come in the
 * order of their numbers; one that lies inside what is already masked adds nothing. */
static int mask_match(struct regex *r, struct span text, size_t *copied, struct buf *out)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);
	int places = 0;
	for (uint32_t g = r->groups ? 1 : 0; g <= r->groups; g++) {
		size_t from = v[2 * g], to = v[2 * g + 1];
		if (from == PCRE2_UNSET || from >= to || to <= *copied)
			continue;
		if (from < *copied)
			from = *copied;
		if (buf_add(out, text.ptr + *copied, from - *copied) < 0 ||
		    buf_add_str(out, "***") < 0)
			return -ENOMEM;
		*copied = to;
		places++;
	}
	return places;
}

int regex_mask(struct regex *r, struct span text, struct buf *out)
{
	size_t at = 0, copied = 0;
	int places = 0;
	while (at <= text.len) {
		int found = match_at(r, text, at, 0);
		if (found < 0)
			return found;
		if (!found)
			break;
		int n = mask_match(r, text, &copied, out);
		if (n < 0)
			return n;
		places += n;
		/* An empty match moves on by a byte, or it would be found for ever. */
		size_t end = pcre2_get_ovector_pointer(r->match)[1];
		at = end > at ? end : at + 1;
	}
	if (buf_add(out, text.ptr + copied, text.len - copied) < 0)
		return -ENOMEM;
	return places;
}
