/* Names of hosts, services and instances: [A-Za-z0-9][A-Za-z0-9._-]{0,127}.
 *
 * They become directory and file names on the collector, so the collector refuses what is not valid
 * (name_valid) and the agent makes valid names of what it finds (name_make). */
#ifndef HAUL_COMMON_NAME_H
#define HAUL_COMMON_NAME_H

#include "common/buf.h"
#include "common/span.h"

#define NAME_MAX_LEN 128

bool name_valid(struct span s);

/* A valid name that also does not end in '.' and four or more digits: that is the form of a closed
 * segment (web-01.0001). */
bool name_valid_host(struct span s);

/* Any byte that is not allowed becomes '_'; if the first is then not alphanumeric '0' is put
 * before; empty becomes "unknown"; beyond 128 bytes the first 119, '-' and 8 hex digits of a hash
 * (CRC-64/XZ, low half) of the whole. Replaces what stands in `out`. Errors: -ENOMEM. */
int name_make(struct span s, struct buf *out) MUST_CHECK;

/* As name_make; a host name that would look like a closed segment gets a '_' at its end. */
int name_make_host(struct span s, struct buf *out) MUST_CHECK;

#endif
