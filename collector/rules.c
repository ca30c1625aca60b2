/* The rules in force: see rules.h. */
#include "collector/rules.h"

#include "common/num.h"

#include <pthread.h>
#include <stdlib.h>

struct rules {
	pthread_rwlock_t lock; /* guards what follows */
	struct policy *policy;
	struct janitor_settings janitor;
};

static struct janitor_settings settings_of(const struct options *o)
{
	static const enum segment_form forms[] = {[SEAL_ZSTD] = SEGMENT_ZSTD,
						  [SEAL_GZIP] = SEGMENT_GZIP,
						  [SEAL_NONE] = SEGMENT_CLOSED};
	uint64_t level = 0; /* auto */
	(void)!num_parse_u64(span_of(o->collector->seal_level), &level);
	return (struct janitor_settings){.form = forms[o->collector->seal],
					 .level = (int)level,
					 .expire = o->collector->on_full == ON_FULL_EXPIRE,
					 .min_free = o->collector->min_free};
}

struct rules *rules_new(const struct options *o)
{
	struct rules *r = calloc(1, sizeof(*r));
	struct policy *policy = policy_new(o->conf);
	if (!r || !policy) {
		policy_free(policy);
		free(r);
		return NULL;
	}
	(void)pthread_rwlock_init(&r->lock, NULL);
	r->policy = policy;
	r->janitor = settings_of(o);
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	policy_free(r->policy);
	(void)pthread_rwlock_destroy(&r->lock);
	free(r);
}

void rules_set(struct rules *r, const struct options *o, struct policy *policy)
{
	(void)pthread_rwlock_wrlock(&r->lock);
	struct policy *old = r->policy;
	r->policy = policy;
	r->janitor = settings_of(o);
	(void)pthread_rwlock_unlock(&r->lock);
	policy_free(old);
}

uint64_t rules_keeps_s(struct rules *r)
{
	int64_t ns = policy_keeps_ns(rules_policy_get(r));
	rules_policy_put(r);
	return (uint64_t)(ns / NUM_SEC_NS + (ns % NUM_SEC_NS != 0));
}

/* --- callbacks --- */

int32_t rules_oldest_day(void *user, struct span service, int64_t now_us)
{
	int32_t day = policy_oldest_day(rules_policy_get(user), service, now_us);
	rules_policy_put(user);
	return day;
}

const struct policy *rules_policy_get(void *user)
{
	struct rules *r = user;
	(void)pthread_rwlock_rdlock(&r->lock);
	return r->policy;
}

void rules_policy_put(void *user)
{
	struct rules *r = user;
	(void)pthread_rwlock_unlock(&r->lock);
}

void rules_janitor(void *user, struct janitor_settings *ret)
{
	struct rules *r = user;
	(void)pthread_rwlock_rdlock(&r->lock);
	*ret = r->janitor;
	(void)pthread_rwlock_unlock(&r->lock);
}
