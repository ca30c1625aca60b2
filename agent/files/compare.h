/* One reading of a file, plain or gzip, beside many checksums that it may have: which of them are
 * right. */
#ifndef HAUL_AGENT_COMPARE_H
#define HAUL_AGENT_COMPARE_H

#include "common/buf.h"

#include <stdint.h>

/* Different beginnings of checksums; points with further ones are not looked at. */
#define COMPARE_BASES_MAX 32

struct compare_point {
	uint64_t base, offset, crc; /* the checksum of [base, offset) */
	bool reached;               /* result: the file has so many bytes */
	bool equal;                 /* and that checksum */
	uint64_t found;             /* the checksum that it has */
	size_t tag;                 /* the caller's */
};

struct compare_result {
	uint64_t size;       /* of the content */
	uint64_t unfinished; /* bytes of it behind the last LF */
	bool compressed;
};

/* Reads all of `fd`. Sorts the points by offset. Errors: -errno of reading; -EBADMSG a damaged gzip
 * file, with the points before the damage judged; -ENOMEM. */
int compare_file(int fd, struct compare_point *points, size_t n,
		 struct compare_result *ret) MUST_CHECK;

#endif
