/* Retention by service: see policy.h. Asked once a chunk (store_terms), so rules stand in the order
 * in which they win, and the first that fits is the answer. */
#include "collector/policy.h"

#include "collector/options.h"
#include "common/civil.h"
#include "common/glob.h"
#include "common/name.h"
#include "common/num.h"

#include <stdlib.h>

struct policy {
	struct policy_rule *rules; /* the one for all stands last */
	size_t n;
};

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free((char *)(uintptr_t)p->rules[i].glob);
	free(p->rules);
	free(p);
}

/* How specific a glob is: characters that stand for themselves; a plain name beats every glob. */
static size_t weight(const char *glob)
{
	size_t literals = 0;
	bool wild = false;
	char end = '\0'; /* of the class or the alternatives that we are in */
	for (const char *c = glob; *c; c++) {
		if (end) {
			end = *c == end ? '\0' : end;
			continue;
		}
		end = *c == '[' ? ']' : *c == '{' ? '}' : '\0';
		bool special = end || *c == '*' || *c == '?';
		wild |= special;
		literals += !special;
	}
	return literals + (wild || !*glob ? 0 : 1 << 16);
}

/* Puts the rule where it belongs: before all that are less specific or as specific, for the last
 * one wins. */
static void insert(struct policy *p, struct policy_rule rule)
{
	size_t at = p->n;
	while (at && weight(p->rules[at - 1].glob) <= weight(rule.glob)) {
		p->rules[at] = p->rules[at - 1];
		at--;
	}
	p->rules[at] = rule;
	p->n++;
}

static struct policy_rule rule_of(const struct conf *conf, size_t i)
{
	const struct options_retention *all = conf_get(conf, "retention", 0);
	const struct options_retention *own = conf_get(conf, "retention", i);
	bool age = conf_given(conf, "retention", i, "max_age");
	bool bytes = conf_given(conf, "retention", i, "max_bytes");
	bool hold = conf_given(conf, "retention", i, "hold");
	return (struct policy_rule){.max_age_ns = age ? own->max_age_ns : all->max_age_ns,
				    .max_bytes = bytes ? own->max_bytes : all->max_bytes,
				    .hold = hold ? own->hold : all->hold};
}

struct policy *policy_new(const struct conf *conf)
{
	size_t n = conf_count(conf, "retention");
	struct policy *p = calloc(1, sizeof(*p));
	if (p)
		p->rules = calloc(n, sizeof(*p->rules));
	if (!p || !p->rules) {
		policy_free(p);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		struct policy_rule rule = rule_of(conf, i);
		rule.glob = strdup(conf_section_name(conf, "retention", i));
		if (!rule.glob) {
			policy_free(p);
			return NULL;
		}
		insert(p, rule);
	}
	return p;
}

const struct policy_rule *policy_find(const struct policy *p, struct span service)
{
	char name[NAME_MAX_LEN + 1];
	size_t len = service.len < NAME_MAX_LEN ? service.len : NAME_MAX_LEN;
	memcpy(name, service.ptr, len);
	name[len] = '\0';
	for (size_t i = 0; i + 1 < p->n; i++)
		if (glob_match_name(p->rules[i].glob, name))
			return &p->rules[i];
	return &p->rules[p->n - 1];
}

int32_t policy_oldest_day(const struct policy *p, struct span service, int64_t now_us)
{
	const struct policy_rule *rule = policy_find(p, service);
	if (rule->max_age_ns == 0 || rule->hold)
		return INT32_MIN;
	int64_t oldest_us;
	if (__builtin_sub_overflow(now_us, rule->max_age_ns / NUM_US_NS, &oldest_us))
		return INT32_MIN;
	return civil_day_of_us(oldest_us);
}

int64_t policy_keeps_ns(const struct policy *p)
{
	int64_t longest_ns = 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct policy_rule *rule = &p->rules[i];
		if (rule->max_age_ns == 0 || rule->hold)
			return 0;
		if (rule->max_age_ns > longest_ns)
			longest_ns = rule->max_age_ns;
	}
	return longest_ns;
}
