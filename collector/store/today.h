/* DATA_DIR/today: a real directory of links to today's live files, so that
 *
 *     tail -F DATA_DIR/today/checkout/web-01.log
 *
 * goes on past midnight. Each link is replaced by rename when the new day's first line is written.
 * A link to the day's directory would not do: tail never crosses one that is retargeted.
 *
 * "Today" is the collector's clock, UTC. Nothing here is ever fatal or in the way of an answer;
 * links are not synced, for they are made again when they are missing. */
#ifndef HAUL_COLLECTOR_STORE_TODAY_H
#define HAUL_COLLECTOR_STORE_TODAY_H

#include "collector/store/tree.h"
#include "common/span.h"

#include <stdint.h>

/* Points the link of (service, host) to the live file of that day. -errno. */
int today_link(const struct tree *t, int32_t day, struct span service, struct span host) MUST_CHECK;

/* Removes links to any day but this one, and what a crash left of making one. -errno. */
int today_sweep(const struct tree *t, int32_t today) MUST_CHECK;

#endif
