/* Retention: see retention.h. Called by the janitor and by `haul-collector retain`. */
#include "collector/retention.h"

#include "common/civil.h"
#include "common/num.h"

#include <stdlib.h>

const char *retention_reason_text(enum retention_reason reason)
{
	switch (reason) {
	case RETENTION_KEPT: return "kept";
	case RETENTION_AGE: return "older than max_age";
	case RETENTION_BYTES: return "beyond max_bytes";
	case RETENTION_ROOM: return "the disk is low";
	}
	return "";
}

uint64_t retention_room(const struct conf_amount *min_free, uint64_t total_bytes,
			uint64_t free_bytes)
{
	uint64_t min = min_free->is_percent ? total_bytes / 100 * min_free->value : min_free->value;
	min += min / 10;
	return free_bytes < min ? min - free_bytes : 0;
}

bool retention_clock_plausible(int64_t now_us, int64_t last_checkpoint_us)
{
	int64_t apart;
	if (last_checkpoint_us == 0 || __builtin_sub_overflow(now_us, last_checkpoint_us, &apart))
		return false;
	return apart >= -RETENTION_CLOCK_US && apart <= RETENTION_CLOCK_US;
}

static int by_day(const void *a, const void *b)
{
	const struct retention_segment *x = a, *y = b;
	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	size_t len = x->service.len < y->service.len ? x->service.len : y->service.len;
	int order = len ? memcmp(x->service.ptr, y->service.ptr, len) : 0;
	return order ? order
		     : (x->service.len > y->service.len) - (x->service.len < y->service.len);
}

static bool may_go(const struct retention_segment *s, int32_t today)
{
	return s->reason == RETENTION_KEPT && s->sealed && !s->rule->hold && s->day < today;
}

static bool too_old(const struct retention_segment *s, int64_t now_us)
{
	int64_t oldest_us;
	if (s->rule->max_age_ns == 0 ||
	    __builtin_sub_overflow(now_us, s->rule->max_age_ns / NUM_US_NS, &oldest_us))
		return false;
	return s->day < civil_day_of_us(oldest_us);
}

static size_t day_end(const struct retention_segment *s, size_t n, size_t from)
{
	size_t to = from;
	while (to < n && s[to].day == s[from].day)
		to++;
	return to;
}

/* The oldest days of one rule's services. */
static void fit(struct retention_segment *s, size_t n, const struct policy_rule *rule,
		int32_t today)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		if (s[i].rule == rule && s[i].reason == RETENTION_KEPT)
			bytes += s[i].bytes;
	for (size_t from = 0; from < n && bytes > rule->max_bytes;) {
		size_t to = day_end(s, n, from);
		for (; from < to; from++) {
			if (s[from].rule != rule || !may_go(&s[from], today))
				continue;
			s[from].reason = RETENTION_BYTES;
			bytes -= s[from].bytes;
		}
	}
}

/* Each rule with a limit once: the next one in the order of their addresses. */
static const struct policy_rule *next_rule(const struct retention_segment *s, size_t n,
					   const struct policy_rule *after)
{
	const struct policy_rule *next = NULL;
	for (size_t i = 0; i < n; i++)
		if (s[i].rule->max_bytes && (uintptr_t)s[i].rule > (uintptr_t)after &&
		    (!next || (uintptr_t)s[i].rule < (uintptr_t)next))
			next = s[i].rule;
	return next;
}

/* The service of [from, to) that has the most bytes that may go: its first segment, or `to`. */
static size_t largest_service(const struct retention_segment *s, size_t from, size_t to,
			      int32_t today)
{
	size_t found = to;
	uint64_t most = 0;
	for (size_t i = from; i < to;) {
		size_t first = i;
		uint64_t bytes = 0;
		for (; i < to && span_equal(s[i].service, s[first].service); i++)
			bytes += may_go(&s[i], today) ? s[i].bytes : 0;
		if (bytes > most) {
			most = bytes;
			found = first;
		}
	}
	return found;
}

static void make_room(struct retention_segment *s, size_t n, uint64_t wanted, int32_t today)
{
	for (size_t i = 0; i < n; i++)
		if (s[i].reason != RETENTION_KEPT)
			wanted -= s[i].bytes < wanted ? s[i].bytes : wanted;
	for (size_t from = 0; from < n && wanted;) {
		size_t to = day_end(s, n, from);
		size_t at = largest_service(s, from, to, today);
		if (at == to) {
			from = to;
			continue;
		}
		struct span service = s[at].service;
		for (; at < to && span_equal(s[at].service, service); at++) {
			if (!may_go(&s[at], today))
				continue;
			s[at].reason = RETENTION_ROOM;
			wanted -= s[at].bytes < wanted ? s[at].bytes : wanted;
		}
	}
}

uint64_t retention_decide(struct retention_segment *segments, size_t n,
			  const struct retention_request *request)
{
	int32_t today = civil_day_of_us(request->now_us);
	uint64_t bytes = 0;
	if (n)
		qsort(segments, n, sizeof(*segments), by_day);
	for (size_t i = 0; i < n; i++)
		segments[i].reason = RETENTION_KEPT;
	if (!retention_clock_plausible(request->now_us, request->last_checkpoint_us))
		return 0;
	for (size_t i = 0; i < n; i++)
		if (may_go(&segments[i], today) && too_old(&segments[i], request->now_us))
			segments[i].reason = RETENTION_AGE;
	const struct policy_rule *rule = NULL;
	while ((rule = next_rule(segments, n, rule)))
		fit(segments, n, rule, today);
	if (request->room_bytes)
		make_room(segments, n, request->room_bytes, today);
	for (size_t i = 0; i < n; i++)
		bytes += segments[i].reason == RETENTION_KEPT ? 0 : segments[i].bytes;
	return bytes;
}
