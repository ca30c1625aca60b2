/* Names of rotated files: see rotation.h. The service name is made from the stem; discover uses the
 * relation between names to find the rest of a stream, and to tell a copy from a file of its own.
 *
 * What counts as a date: YYYYMMDD or YYYY-MM-DD (also with _ or . between), perhaps with a time
 * behind it (HH, HHMM, HHMMSS, with or without separators), or seconds since 1970; before it one of
 * - _ . */
#include "agent/files/rotation.h"

#include "common/crc64.h"

#include <stdio.h>

enum { DATE_MAX = 32 };

struct span path_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return span_of(slash ? slash + 1 : path);
}

struct span path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return SPAN_LITERAL(".");
	return slash == path ? SPAN_LITERAL("/") : span_make(path, (size_t)(slash - path));
}

/* --- dates --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(struct span s)
{
	size_t n = 0;
	while (n < s.len && is_digit(s.ptr[n]))
		n++;
	return n;
}

/* Takes `n` digits off the front when they are a number within the bounds. */
static bool take(struct span *s, size_t n, unsigned min, unsigned max)
{
	unsigned v = 0;
	if (digits(*s) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (unsigned)(s->ptr[i] - '0');
	if (v < min || v > max)
		return false;
	*s = span_from(*s, n);
	return true;
}

static void take_separator(struct span *s, const char *which)
{
	if (s->len && s->ptr[0] && strchr(which, s->ptr[0]))
		*s = span_from(*s, 1);
}

static bool is_time(struct span s)
{
	take_separator(&s, "-_.T");
	if (!take(&s, 2, 0, 24))
		return false;
	for (int i = 0; i < 2 && s.len; i++) {
		take_separator(&s, "-_.:");
		if (!take(&s, 2, 0, 60))
			return false;
	}
	take_separator(&s, "Z");
	return s.len == 0;
}

static bool is_date(struct span s)
{
	if (digits(s) == s.len && (s.len == 10 || s.len == 13) && s.ptr[0] == '1')
		return true; /* seconds or milliseconds since 1970, until 2033 */
	if (!take(&s, 4, 1970, 2199))
		return false;
	take_separator(&s, "-_.");
	if (!take(&s, 2, 1, 12))
		return false;
	take_separator(&s, "-_.");
	if (!take(&s, 2, 1, 31))
		return false;
	return s.len == 0 || is_time(s);
}

/* The length of the date suffix with its separator; 0: none. */
static size_t date_suffix(struct span name)
{
	size_t first = name.len > DATE_MAX ? name.len - DATE_MAX : 0;
	for (size_t i = first; i < name.len; i++)
		if (strchr("-_.", name.ptr[i]) && name.ptr[i] && is_date(span_from(name, i + 1)))
			return name.len - i;
	return 0;
}

/* --- suffixes --- */

static size_t number_suffix(struct span name)
{
	size_t n = 0;
	while (n < name.len && is_digit(name.ptr[name.len - 1 - n]))
		n++;
	return n && n < name.len && name.ptr[name.len - 1 - n] == '.' ? n + 1 : 0;
}

static size_t one_of(struct span name, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_ends_with(name, span_of(words[i])))
			return strlen(words[i]);
	return 0;
}

static const char *const compressions[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z"};
static const char *const olds[] = {".old",  ".bak",  ".prev", ".last",
				   ".orig", ".save", ".copy", ".tmp"};
static const char *const extensions[] = {".log", ".out", ".err", ".txt", ".json"};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What the contract strips from a name for its stem. */
static size_t plain_suffix(struct span name)
{
	if (span_ends_with(name, SPAN_LITERAL(".gz")))
		return 3;
	size_t n = date_suffix(name); /* first: a date may end in .22 */
	return n ? n : number_suffix(name);
}

/* And what rotation makes besides. */
static size_t any_suffix(struct span name)
{
	size_t n = plain_suffix(name);
	if (!n)
		n = one_of(name, compressions, COUNT(compressions));
	return n ? n : one_of(name, olds, COUNT(olds));
}

static struct span strip(struct span name, size_t (*suffix)(struct span))
{
	for (size_t n; (n = suffix(name)) != 0 && n < name.len;)
		name.len -= n;
	return name;
}

static struct span without_extension(struct span name)
{
	size_t n = one_of(name, extensions, COUNT(extensions));
	return n < name.len ? span_first(name, name.len - n) : name;
}

struct span rotation_stem(struct span name)
{
	return without_extension(strip(name, plain_suffix));
}

bool rotation_suffixed(struct span name)
{
	return any_suffix(name) != 0;
}

/* Is all of `s` suffixes, down to nothing? */
static bool only_suffixes(struct span s)
{
	for (size_t n; s.len; s.len -= n)
		if ((n = any_suffix(s)) == 0)
			return false;
	return true;
}

bool rotation_of(struct span name, struct span original)
{
	if (name.len <= original.len)
		return false;
	if (span_starts_with(name, original) && only_suffixes(span_from(name, original.len)))
		return true;
	/* app.log becomes app-20261122.log or app.1.log, perhaps with .gz behind. */
	struct span root = without_extension(original);
	struct span extension = span_from(original, root.len);
	struct span body = strip(name, any_suffix);
	if (!extension.len || !span_ends_with(body, extension) || !span_starts_with(name, root))
		return false;
	body.len -= extension.len;
	return body.len > root.len && only_suffixes(span_from(body, root.len));
}

bool rotation_rotated(struct span name)
{
	return rotation_suffixed(name) || rotation_suffixed(without_extension(name));
}

bool rotation_original(struct span name, int step, char *dst, size_t size)
{
	struct span at = name;
	size_t n;
	while ((n = any_suffix(at)) != 0 && n < at.len) {
		at.len -= n;
		if (step-- == 0)
			goto found;
	}
	struct span root = without_extension(at), extension = span_from(at, root.len);
	while (extension.len && (n = any_suffix(root)) != 0 && n < root.len) {
		root.len -= n;
		if (step-- == 0) {
			int len = snprintf(dst, size, "%.*s%.*s", (int)root.len, root.ptr,
					   (int)extension.len, extension.ptr);
			return len > 0 && (size_t)len < size;
		}
	}
	return false;
found:
	if (at.len >= size)
		return false;
	memcpy(dst, at.ptr, at.len);
	dst[at.len] = '\0';
	return true;
}

uint64_t rotation_family(struct span name)
{
	struct span s = strip(without_extension(strip(name, any_suffix)), any_suffix);
	return crc64_add(CRC64_EMPTY, s.ptr, s.len);
}
