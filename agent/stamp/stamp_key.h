/* The keys whose values are a line's time, in JSON objects and in key=value lines. */
#ifndef HAUL_AGENT_STAMP_KEY_H
#define HAUL_AGENT_STAMP_KEY_H

#include "common/span.h"

#define STAMP_KEYS 25

/* Index in the order of preference, 0 to STAMP_KEYS - 1; -1: not such a key. */
int stamp_key_find(struct span key);

struct span stamp_key_name(int index);

#endif
