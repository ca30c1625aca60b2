/* The table of streams: in the order of ids whatever comes and goes, and without those that ended
 * so long ago that nobody asks for them any more, also after a restart. */
#include "collector/store/forget.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/num.h"
#include "tests/lib/make_batch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEPT = FORGET_KEPT, MORE = 600 };

static char dir[64];
static struct store *store;

/* Services that begin with "audit" are kept for ever, others for 35 days. */
static int32_t oldest_day(void *user, struct span service, int64_t now_us)
{
	(void)user;
	return span_starts_with(service, SPAN_LITERAL("audit")) ? INT32_MIN
								: civil_day_of_us(now_us) - 35;
}

static void open_store(void)
{
	struct store_config config = {.segment_bytes = 1 << 20, .oldest_day = oldest_day};
	store = make_store(dir, &config);
}

static void setup(void)
{
	(void)strcpy(dir, "/tmp/haul-test-forget-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	open_store();
}

static void teardown(void)
{
	store_close(store);
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct host *get_host(void)
{
	struct host *host = hosts_get(&store->hosts, SPAN_LITERAL("web-01"));
	ck_assert_ptr_nonnull(host);
	return host;
}

static struct stream_id id_of(uint32_t n)
{
	struct stream_id id = {{0}};
	uint32_t mixed = n * 2654435761U;
	memcpy(id.bytes, &mixed, sizeof(mixed));
	memcpy(id.bytes + 8, &n, sizeof(n));
	return id;
}

static struct stream *find(uint32_t n)
{
	struct stream_id id = id_of(n);
	return streams_find(&store->streams, get_host(), &id);
}

/* A stream that is 100 bytes long, as if it had come so many days ago. */
static struct stream *make_stream(uint32_t n, const char *service, int days)
{
	struct chunk c = {
		.stream = id_of(n), .service = span_of(service), .path = SPAN_LITERAL("/x")};
	(void)pthread_mutex_lock(&store->lock);
	struct host *host = get_host();
	hosts_changed(&store->hosts, host);
	struct stream *s = stream_new(host, &c);
	ck_assert_ptr_nonnull(s);
	s->row = ++store->last_stream_row;
	s->offset = 100;
	s->crc = n;
	s->ended = true;
	s->last_us = clock_real_ns() / NUM_US_NS - days * NUM_DAY_US + n;
	ck_assert_int_eq(streams_add(&store->streams, s), 0);
	streams_changed(&store->streams, s, true);
	(void)pthread_mutex_unlock(&store->lock);
	return s;
}

static void checkpoints(unsigned n)
{
	while (n--)
		ck_assert_int_eq(store_checkpoint(store), 0);
}

START_TEST(old_ones_are_forgotten)
{
	for (uint32_t n = 0; n < KEPT + MORE; n++) {
		/* The first 400 are old; among them some that are asked for all the same. */
		struct stream *s = make_stream(n, n % 100 == 7 ? "audit" : "app",
					       n < 400   ? 40
					       : n < 500 ? 33
							 : 1);
		if (n == 5)
			ck_assert_int_eq(stream_add_gap(s, (struct gap){.from = 1, .to = 9}), 0);
		if (n == 6) {
			s->ended = false;
			streams_changed(&store->streams, s, true);
		}
	}
	checkpoints(3);
	const unsigned gone = 400 - 4 - 2;
	for (int open = 0; open < 2; open++) {
		struct host *host = get_host();
		ck_assert_uint_eq(host->ended.n, KEPT + MORE - 1 - gone);
		ck_assert_uint_eq(host->open.n, 1);
		for (uint32_t n = 0; n < KEPT + MORE; n++) {
			bool kept = n >= 400 || n % 100 == 7 || n == 5 || n == 6;
			ck_assert_int_eq(find(n) != NULL, kept);
		}
		store_close(store);
		open_store();
		checkpoints(1);
	}
}
END_TEST

START_TEST(the_newest_stay_however_old)
{
	for (uint32_t n = 0; n < KEPT + MORE; n++)
		make_stream(n, n % 2 ? "audit" : "app", 400);
	checkpoints(1);
	store_close(store); /* as they come from the ledger */
	open_store();
	checkpoints(4);
	ck_assert_uint_eq(get_host()->ended.n, KEPT);
	for (uint32_t n = 0; n < KEPT + MORE; n++)
		ck_assert_int_eq(find(n) != NULL, n >= MORE);
}
END_TEST

/* What is kept for longer does not hide what is behind it. */
START_TEST(those_that_stay_hide_nobody)
{
	for (uint32_t n = 0; n < 3 * FORGET_AT_ONCE; n++)
		make_stream(n, "audit", 50);
	for (uint32_t n = 0; n < KEPT + 10; n++)
		make_stream(100000 + n, "app", n < 10 ? 40 : 1);
	checkpoints(8);
	ck_assert_uint_eq(get_host()->ended.n, 3 * FORGET_AT_ONCE + KEPT);
	ck_assert_ptr_null(find(100009));
	ck_assert_ptr_nonnull(find(100010));
	ck_assert_ptr_nonnull(find(0));
}
END_TEST

START_TEST(nothing_is_forgotten_by_a_clock_that_jumped)
{
	(void)pthread_mutex_lock(&store->lock);
	store->counters.sure_clock_us = clock_real_ns() / NUM_US_NS - 30 * NUM_DAY_US;
	(void)pthread_mutex_unlock(&store->lock);
	for (uint32_t n = 0; n < KEPT + MORE; n++)
		make_stream(n, "app", 40);
	struct forget_list *list;
	ck_assert_int_eq(forget_choose(store, &list), 0);
	(void)pthread_mutex_lock(&store->lock);
	forget_take(store, list);
	(void)pthread_mutex_unlock(&store->lock);
	forget_free(list);
	ck_assert_uint_eq(get_host()->ended.n, KEPT + MORE);
}
END_TEST

/* The ledger is lost, its copy is older than the forgetting, and the stream was born anew
 * meanwhile. */
START_TEST(one_that_is_born_anew_is_what_it_became)
{
	struct make_source a;
	uint64_t session = make_session(store, "web-01", "m1", NULL);
	make_source(&a, "checkout", "a");
	struct make_source again = a;
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 5), CHUNK_COMMITTED);
	checkpoints(1);
	struct stream *s = streams_find(&store->streams, get_host(), &a.stream);
	ck_assert_uint_eq(s->offset, a.offset);
	(void)pthread_mutex_lock(&store->lock);
	ck_assert_int_eq(streams_forget(&store->streams, s), 0);
	(void)pthread_mutex_unlock(&store->lock);
	struct make_source late = a;
	ck_assert_int_eq((int)make_send(store, "web-01", session, &late, 1), CHUNK_CONFLICT);
	(void)strcpy(again.name, "b");
	ck_assert_int_eq((int)make_send(store, "web-01", session, &again, 2), CHUNK_COMMITTED);
	char command[400];
	(void)snprintf(command, sizeof(command),
		       "cp -a %s %s-kill && rm -f %s-kill/.haul/ledger.db %s-kill/.haul/lock", dir,
		       dir, dir, dir);
	ck_assert_int_eq(system(command), 0);
	store_close(store);
	(void)snprintf(command, sizeof(command), "rm -rf %s && mv %s-kill %s", dir, dir, dir);
	ck_assert_int_eq(system(command), 0);
	open_store();
	s = streams_find(&store->streams, get_host(), &again.stream);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->offset, again.offset);
	session = make_session(store, "web-01", "m1", NULL);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &again, 2), CHUNK_COMMITTED);
	checkpoints(1);
	store_close(store);
	open_store();
	ck_assert_uint_eq(streams_find(&store->streams, get_host(), &again.stream)->offset,
			  again.offset);
}
END_TEST

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct stream_id));
}

START_TEST(a_set_is_in_order_whatever_comes_and_goes)
{
	enum { N = 3000 };
	static struct stream streams[N];
	static struct stream_id ids[N];
	struct stream_set set = {0};
	uint32_t x = 1;
	for (uint32_t i = 0; i < N; i++) {
		x = x * 1664525 + 1013904223;
		streams[i].id = id_of(i);
		streams[i].node.priority = x >> 4;
		stream_set_add(&set, &streams[i]);
	}
	for (uint32_t i = 0; i < N; i += 3) {
		stream_set_remove(&set, &streams[i]);
		if (i % 2)
			stream_set_add(&set, &streams[i]);
	}
	size_t n = 0;
	for (uint32_t i = 0; i < N; i++)
		if (i % 3 || i % 2)
			ids[n++] = streams[i].id;
	qsort(ids, n, sizeof(*ids), by_id);
	ck_assert_uint_eq(set.n, n);
	const struct stream_id *after = NULL;
	for (size_t i = 0; i < n; i++) {
		struct stream *s = stream_set_after(&set, after);
		ck_assert_ptr_nonnull(s);
		ck_assert(stream_id_equal(&s->id, &ids[i]));
		after = &s->id;
	}
	ck_assert_ptr_null(stream_set_after(&set, after));
	struct stream_id gone = id_of(6);
	struct stream *s = stream_set_after(&set, &gone);
	ck_assert(!s || by_id(&s->id, &gone) > 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_forget");
	TCase *tcase = tcase_create("store_forget");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, old_ones_are_forgotten);
	tcase_add_test(tcase, the_newest_stay_however_old);
	tcase_add_test(tcase, those_that_stay_hide_nobody);
	tcase_add_test(tcase, nothing_is_forgotten_by_a_clock_that_jumped);
	tcase_add_test(tcase, one_that_is_born_anew_is_what_it_became);
	tcase_add_test(tcase, a_set_is_in_order_whatever_comes_and_goes);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
