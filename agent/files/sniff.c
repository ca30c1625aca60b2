/* Telling text from other files: see sniff.h. follow asks at the first read of a file.
 *
 * To leave a log out by mistake is the worse error: so a stray NUL, bytes that are not UTF-8, or
 * terminal escapes do not count. */
#include "agent/files/sniff.h"

enum { NULS_MIN = 16, NULS_SHARE = 8 /* one byte in so many */ };

static const struct {
	const char *bytes;
	size_t len;
	const char *what;
	size_t at;
} signatures[] = {
#define SIGNATURE(bytes, what)                                                                     \
	{                                                                                          \
		bytes, sizeof(bytes) - 1, what, 0                                                  \
	}
	SIGNATURE("\x1f\x8b", "not text: compressed by gzip"),
	SIGNATURE("\xfd"
		  "7zXZ",
		  "not text: compressed by xz"),
	{"1AY&SY", 6, "not text: compressed by bzip2", 4}, /* behind BZh and a digit */
	SIGNATURE("\x28\xb5\x2f\xfd", "not text: compressed by zstd"),
	SIGNATURE("\x04\x22\x4d\x18", "not text: compressed by lz4"),
	SIGNATURE("PK\x03\x04", "not text: a zip archive"),
	SIGNATURE("LPKSHHRH", "not text: a journal"),
	SIGNATURE("SQLite format 3", "not text: a database"),
	SIGNATURE("\x7f"
		  "ELF",
		  "not text: a program"),
#undef SIGNATURE
};

const char *sniff(struct span first)
{
	size_t nuls = 0, len = first.len < SNIFF_BYTES ? first.len : SNIFF_BYTES;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
		if (first.len > signatures[i].at &&
		    span_starts_with(span_from(first, signatures[i].at),
				     span_make(signatures[i].bytes, signatures[i].len)))
			return signatures[i].what;
	for (size_t i = 0; i < len; i++)
		nuls += first.ptr[i] == '\0';
	if (nuls >= NULS_MIN && nuls >= len / NULS_SHARE)
		return "not text";
	return NULL;
}

bool sniff_gzip(struct span first)
{
	return span_starts_with(first, SPAN_LITERAL("\x1f\x8b\x08"));
}
