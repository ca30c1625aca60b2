/* Where a segment stands below DATA_DIR, and what such a path says. Pure; users know the form from
 * haul-archive(5):
 *
 *     2026-11-22/checkout/web-01.log             live
 *     2026-11-22/checkout/web-01.0001.log        closed
 *     2026-11-22/checkout/web-01.0001.log.zst    sealed (.log.gz likewise)
 *
 * A host's name never ends in '.' and four or more digits (name_valid_host), so that a path says
 * one thing only. */
#ifndef HAUL_COLLECTOR_STORE_SEGMENT_NAME_H
#define HAUL_COLLECTOR_STORE_SEGMENT_NAME_H

#include "common/buf.h"
#include "common/civil.h"
#include "common/name.h"
#include "common/span.h"

#include <stdint.h>

enum segment_form { SEGMENT_LIVE, SEGMENT_CLOSED, SEGMENT_ZSTD, SEGMENT_GZIP };

struct segment_name {
	int32_t day;
	struct span service, host;
	uint32_t number; /* from 1; 0 for a live one, whose path does not say it */
	enum segment_form form;
};

#define SEGMENT_NUMBER_DIGITS 10 /* at most; at least four are written */
#define SEGMENT_PATH_MAX                                                                           \
	(CIVIL_DAY_LEN + 1 + NAME_MAX_LEN + 1 + NAME_MAX_LEN + 1 + SEGMENT_NUMBER_DIGITS +         \
	 sizeof(".log.zst"))

/* "DAY/SERVICE/FILE" with a NUL; returns its length. Names are valid ones. */
size_t segment_name_path(char dst[SEGMENT_PATH_MAX], const struct segment_name *name);

/* The path's directory, "DAY/SERVICE", and its last part. */
size_t segment_name_dir(char dst[SEGMENT_PATH_MAX], int32_t day, struct span service);

/* Takes a whole path, or a file's name in its directory (day and service are then left as they
 * are). -EINVAL when it is no segment's. Spans point into the text. */
int segment_name_parse(struct span path, struct segment_name *ret) MUST_CHECK;
int segment_name_parse_file(struct span file, struct segment_name *ret) MUST_CHECK;

#endif
