/* Paths of segments, written and read: see segment_name.h. The store names its files by it,
 * recovery and the reader recognise them. */
#include "collector/store/segment_name.h"

#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

static const char *const suffixes[] = {
	[SEGMENT_LIVE] = ".log",
	[SEGMENT_CLOSED] = ".log",
	[SEGMENT_ZSTD] = ".log.zst",
	[SEGMENT_GZIP] = ".log.gz",
};

static char *put(char *at, struct span s)
{
	memcpy(at, s.ptr, s.len);
	return at + s.len;
}

size_t segment_name_dir(char dst[SEGMENT_PATH_MAX], int32_t day, struct span service)
{
	assert(name_valid(service));
	civil_format_day(dst, day);
	char *at = dst + CIVIL_DAY_LEN;
	*at++ = '/';
	at = put(at, service);
	*at = '\0';
	return (size_t)(at - dst);
}

size_t segment_name_path(char dst[SEGMENT_PATH_MAX], const struct segment_name *name)
{
	assert(name_valid_host(name->host));
	char *at = dst + segment_name_dir(dst, name->day, name->service);
	*at++ = '/';
	at = put(at, name->host);
	if (name->form != SEGMENT_LIVE)
		at += snprintf(at, SEGMENT_NUMBER_DIGITS + 2, ".%04u", name->number);
	at = put(at, span_of(suffixes[name->form]));
	*at = '\0';
	return (size_t)(at - dst);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes ".NNNN" off the end of `stem`; false when there is none. */
static bool take_number(struct span *stem, uint32_t *ret)
{
	size_t at = stem->len;
	while (at && is_digit(stem->ptr[at - 1]))
		at--;
	size_t digits = stem->len - at;
	if (digits < 4 || at == 0 || stem->ptr[at - 1] != '.')
		return false;
	/* One number, one way to write it. */
	if (digits > 4 && stem->ptr[at] == '0')
		return false;
	uint64_t number;
	if (num_parse_u64(span_from(*stem, at), &number) < 0 || number == 0 || number > UINT32_MAX)
		return false;
	*ret = (uint32_t)number;
	stem->len = at - 1;
	return true;
}

int segment_name_parse_file(struct span file, struct segment_name *ret)
{
	static const enum segment_form forms[] = {SEGMENT_ZSTD, SEGMENT_GZIP, SEGMENT_CLOSED};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct span suffix = span_of(suffixes[forms[i]]);
		if (!span_ends_with(file, suffix))
			continue;
		struct span stem = span_first(file, file.len - suffix.len);
		enum segment_form form = forms[i];
		uint32_t number = 0;
		if (!take_number(&stem, &number)) {
			if (form != SEGMENT_CLOSED)
				return -EINVAL;
			form = SEGMENT_LIVE;
		}
		if (!name_valid_host(stem))
			return -EINVAL;
		ret->host = stem;
		ret->number = number;
		ret->form = form;
		return 0;
	}
	return -EINVAL;
}

int segment_name_parse(struct span path, struct segment_name *ret)
{
	struct segment_name name = {0};
	if (path.len <= CIVIL_DAY_LEN || path.ptr[CIVIL_DAY_LEN] != '/' ||
	    civil_parse_day(span_first(path, CIVIL_DAY_LEN), &name.day) < 0)
		return -EINVAL;
	path = span_from(path, CIVIL_DAY_LEN + 1);
	size_t slash = span_find(path, '/');
	if (slash == path.len || !name_valid(span_first(path, slash)))
		return -EINVAL;
	name.service = span_first(path, slash);
	int r = segment_name_parse_file(span_from(path, slash + 1), &name);
	if (r < 0)
		return r;
	*ret = name;
	return 0;
}
