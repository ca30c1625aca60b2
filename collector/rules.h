/* What holds of the archive's keeping: retention and the janitor's settings. The store and the
 * janitor ask from their threads; a reload replaces both at once.
 *
 * Threads: any. */
#ifndef HAUL_COLLECTOR_RULES_H
#define HAUL_COLLECTOR_RULES_H

#include "collector/janitor.h"
#include "collector/options.h"
#include "collector/policy.h"

struct rules;

/* As the options say. NULL: there is no memory. */
struct rules *rules_new(const struct options *o) MUST_CHECK;
void rules_free(struct rules *r);

/* From now on; takes over the policy, which was made of the same options. */
void rules_set(struct rules *r, const struct options *o, struct policy *policy);

/* How long lines are kept at most, in whole seconds, not fewer than the retention has; 0: for
 * ever. */
uint64_t rules_keeps_s(struct rules *r);

/* --- callbacks (store.h, janitor.h); `user` is the rules --- */

int32_t rules_oldest_day(void *user, struct span service, int64_t now_us);
/* The policy stays as it is until it is put back. */
const struct policy *rules_policy_get(void *user);
void rules_policy_put(void *user);
void rules_janitor(void *user, struct janitor_settings *ret);

#endif
