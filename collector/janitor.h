/* The janitor: a thread of low priority that seals what is closed, keeps the index whole and lets
 * go what retention says, pass after pass as long as the store is open. Never on the way of an
 * answer. */
#ifndef HAUL_COLLECTOR_JANITOR_H
#define HAUL_COLLECTOR_JANITOR_H

#include "collector/policy.h"
#include "collector/store/archive_meters.h"
#include "collector/store/segment_name.h"
#include "collector/store/store.h"

/* As the configuration stands; asked for anew in each pass. */
struct janitor_settings {
	enum segment_form form; /* SEGMENT_CLOSED: nothing is compressed */
	int level;              /* 0: by backlog */
	bool expire;            /* on_full = expire */
	struct conf_amount min_free;
};

struct janitor_config {
	void (*settings)(void *user, struct janitor_settings *ret);
	/* A policy that stays as it is until it is given back. */
	const struct policy *(*policy_get)(void *user);
	void (*policy_put)(void *user);
	void (*step)(void *user, const char *what); /* see archive.h; may be NULL */
	void *user;
	struct archive_meters *meters;
};

struct janitor;

/* Starts the thread. The store outlives the janitor. -errno, -ENOMEM. */
int janitor_start(const struct janitor_config *config, struct store *store,
		  struct janitor **ret) MUST_CHECK;

/* Breaks off what is under way and waits for the end. Fine on NULL. */
void janitor_stop(struct janitor *j);

/* One pass in the caller's thread, for tests. -EIO: something failed, and was told. */
int janitor_pass_once(const struct janitor_config *config, struct store *store) MUST_CHECK;

/* The class of the index that a rule's segments belong to. */
#define JANITOR_CLASS_MAX 32
void janitor_class(const struct policy_rule *rule, char ret[JANITOR_CLASS_MAX]);

#endif
