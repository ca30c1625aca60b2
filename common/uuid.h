/* Random UUIDs (RFC 4122 version 4) as text: 36 characters, lower-case hex digits parted by '-'
 * into 8, 4, 4, 4 and 12. */
#ifndef HAUL_COMMON_UUID_H
#define HAUL_COMMON_UUID_H

#include "common/buf.h"
#include "common/span.h"

#define UUID_LEN 36

/* From the kernel's random source, closed by a NUL. -EIO: it gave none. */
int uuid_make(char ret[UUID_LEN + 1]) MUST_CHECK;
/* Has it the form of one, of any version? */
bool uuid_is_valid(struct span s);

#endif
