/* Where the files of the index stand, and the head of a file of parts.
 *
 *     .haul/index/CLASS/00000001.slab     a slab (slab.h)
 *     .haul/index/CLASS/00000002.parts    parts as they are sealed (part.h)
 *
 * A class holds segments that are kept as long as each other, so that its files die together. When
 * a file of parts is full it becomes the slab of the same number; as long as both are there the
 * slab counts. */
#ifndef HAUL_COLLECTOR_STORE_INDEX_FORMAT_H
#define HAUL_COLLECTOR_STORE_INDEX_FORMAT_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define INDEX_DIR       ".haul/index"
#define INDEX_CLASS_MAX 32
#define INDEX_FILE_MAX  24 /* "4294967295.parts" and NUL */

#define INDEX_PARTS_HEADER 32
#define INDEX_PARTS_MAX    (UINT64_C(1) << 30) /* bytes of a file of parts */

/* [a-z0-9]{1,31} */
bool index_class_valid(struct span name);

void index_file_name(char dst[INDEX_FILE_MAX], uint32_t number, bool slab);
/* -EINVAL: no file of the index. */
int index_parse_file(struct span name, uint32_t *ret_number, bool *ret_slab) MUST_CHECK;

/* The head of a file of parts says how much of it is durable: what stands behind may be torn. */
void index_parts_header(char dst[INDEX_PARTS_HEADER], uint64_t length);
/* -EBADMSG; -EPROTONOSUPPORT: of another haul. */
int index_parts_length(const char header[INDEX_PARTS_HEADER], uint64_t *ret_length) MUST_CHECK;

#endif
