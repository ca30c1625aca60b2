/* The last time that is known to be right: the modification time of an empty file beside the
 * ledger. A start under a clock that is years off must not make the archive look old. */
#ifndef HAUL_COLLECTOR_STORE_SURE_CLOCK_H
#define HAUL_COLLECTOR_STORE_SURE_CLOCK_H

#include "collector/store/tree.h"

#include <stdint.h>

/* 0: none is known. */
int64_t sure_clock_read(const struct tree *t);

/* A checkpoint asks at `now_us` what is known now, having known `known_us` and having run for
 * `up_ns`. A clock that jumped by more than two days is believed when it went on for as long while
 * somebody could have seen to it. */
int64_t sure_clock_next(const struct tree *t, int64_t known_us, int64_t now_us, int64_t up_ns);

#endif
