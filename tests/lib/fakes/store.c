/* See store.h. */
#include "tests/lib/fakes/store.h"

#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>

struct store fake;

int store_session_host(struct store *s, uint64_t session, char ret_host[NAME_MAX_LEN + 1])
{
	(void)s;
	return fake_session_host(session, ret_host);
}

const char *store_uuid(const struct store *s)
{
	(void)s;
	return FAKE_UUID;
}

int store_failure(struct store *s, char *ret_what, size_t size)
{
	(void)s, (void)ret_what, (void)size;
	return 0;
}

size_t store_blocked(const struct store *s, char *ret_what, size_t size)
{
	if (s->blocked)
		(void)snprintf(ret_what, size, "2026-11-23/cart cannot be written");
	return s->blocked;
}

int store_admit(struct store *s, uint64_t wal_bytes, uint64_t rendered_bytes)
{
	(void)wal_bytes, (void)rendered_bytes;
	return s->admit;
}

struct render_terms store_terms(struct store *s, struct span service, int64_t received_us)
{
	(void)s, (void)service;
	return (struct render_terms){
		.received_us = received_us, .oldest_day = INT32_MIN, .newest_us = INT64_MAX};
}

int store_session_open(struct store *s, const struct session_request *request,
		       void (*done)(void *user, int result, uint64_t session), void *user)
{
	if (span_is(request->host, "no-thread"))
		return -EIO;
	done(user, s->session, ++s->opened);
	return 0;
}

void store_report(struct store *s, struct span host, uint64_t session, const struct report *report,
		  int64_t received_us)
{
	(void)s, (void)host, (void)received_us;
	fake.report = *report;
	fake.report_session = session;
}

static void judge(struct submission *sub)
{
	for (size_t i = 0; i < sub->batch.n_chunks; i++)
		fake.lines += sub->batch.chunks[i].header.lines;
	fake_judge(sub);
	sub->result = fake.result;
	sub->beyond = "the host has enough";
}

static void *answer_elsewhere(void *user)
{
	struct submission *sub = user;
	judge(sub);
	sub->answered(sub, sub->user);
	submission_unref(sub);
	return NULL;
}

static void spawn_answer(struct submission *sub)
{
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, answer_elsewhere, sub), 0);
	pthread_detach(thread);
}

void store_submit(struct store *s, struct submission *sub)
{
	__atomic_add_fetch(&sub->refs, 1, __ATOMIC_ACQ_REL);
	pthread_mutex_lock(&s->lock);
	bool held = s->hold;
	if (held) {
		sub->item.next = (struct store_item *)(void *)s->held;
		s->held = sub;
	}
	pthread_mutex_unlock(&s->lock);
	if (!held)
		spawn_answer(sub);
}

/* The fake store's use of the store's own link. */
static struct submission *next_held(const struct submission *sub)
{
	return (struct submission *)(void *)sub->item.next;
}

unsigned count_held(void)
{
	unsigned n = 0;
	pthread_mutex_lock(&fake.lock);
	for (struct submission *sub = fake.held; sub; sub = next_held(sub))
		n++;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

void let_go(void)
{
	pthread_mutex_lock(&fake.lock);
	struct submission *held = fake.held;
	fake.held = NULL;
	fake.hold = false;
	pthread_mutex_unlock(&fake.lock);
	while (held) {
		struct submission *sub = held;
		held = next_held(sub);
		spawn_answer(sub);
	}
}

int store_streams(struct store *s, struct span host, const struct stream_id *after, size_t limit,
		  void (*done)(void *user, int result, struct span rows), void *user)
{
	char row[64];
	(void)s, (void)host;
	int len =
		snprintf(row, sizeof(row), "{\"after\":%d,\"limit\":%zu}\n", after != NULL, limit);
	done(user, 0, span_make(row, (size_t)len));
	return 0;
}

void store_counters(struct store *s, struct store_counters *ret)
{
	*ret = (struct store_counters){
		.lines = s->lines, .committed = 3, .free_bytes = UINT64_C(5) << 30};
}

/* web-01 is silent, db-01 far behind with a clock that is ahead, old-01 was taken down, new-01 is
 * well. */
void store_hosts(struct store *s, int64_t now_us,
		 void (*each)(void *user, const struct store_host *h), void *user)
{
	(void)s;
	struct store_host web = {.host = SPAN_LITERAL("web-01"),
				 .session = 7,
				 .last_contact_us = now_us - 400 * NUM_SEC_US};
	struct store_host db = {.host = SPAN_LITERAL("db-01"),
				.session = 8,
				.last_contact_us = now_us,
				.rate = 2048,
				.lost_bytes = 77,
				.report = {.time_us = now_us + 30 * NUM_SEC_US,
					   .lag_bytes = 3 << 20,
					   .lag_ms = 150500,
					   .files = 9,
					   .failing = 1},
				.report_us = now_us};
	struct store_host old = {.host = SPAN_LITERAL("old-01"), .last_contact_us = 1};
	struct store_host new = {.host = SPAN_LITERAL("new-01"),
				 .last_contact_us = now_us,
				 .report = {.time_us = now_us},
				 .report_us = now_us};
	each(user, &web);
	each(user, &db);
	each(user, &old);
	each(user, &new);
}
