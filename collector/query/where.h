/* Conditions on fields: -w FIELD=VALUE, also != > >= < <= ~ !~. All of them hold for a line that is
 * selected. Immutable; each thread has a scratch of its own. */
#ifndef HAUL_COLLECTOR_QUERY_WHERE_H
#define HAUL_COLLECTOR_QUERY_WHERE_H

#include "collector/query/needs.h"
#include "common/buf.h"
#include "common/field.h"
#include "common/span.h"

#define WHERE_MAX 8 /* conditions */

struct where;
struct where_scratch;

/* `texts` stay the caller's and outlive it. Errors: -EINVAL with `why`, which names the text and
 * the place; -E2BIG more than WHERE_MAX; -ENOMEM. */
int where_new(const char *const *texts, size_t n, struct where **ret, char *why,
	      size_t why_size) MUST_CHECK;
void where_free(struct where *w);

struct where_scratch *where_scratch_new(const struct where *w);
void where_scratch_free(struct where_scratch *s);

/* Do all conditions hold? A line without the field fulfils none, != and !~ included. -ENOMEM. */
int where_test(struct where_scratch *s, struct span line) MUST_CHECK;

/* Has condition `i`'s field been seen in any line that was tested with this scratch? */
bool where_seen(const struct where_scratch *s, size_t i);
size_t where_count(const struct where *w);
struct span where_field(const struct where *w, size_t i);
/* As where_test for the field alone: does the line have it? */
int where_has_field(struct where_scratch *s, size_t i, struct span line) MUST_CHECK;

/* Are all conditions about fields of which `known` is true? */
bool where_only(const struct where *w, bool (*known)(const struct field *f));
/* As where_test, for lines whose fields the caller has: `get` says the value, false when they lack
 * it. */
bool where_holds(struct where_scratch *s,
		 bool (*get)(void *user, const struct field *f, struct span *ret), void *user);

/* Adds what the conditions demand of every line; false when `needs` was full. The best need to lead
 * a search comes first. */
void where_needs(const struct where *w, struct needs *needs);

#endif
