/* The store as a whole, without HTTP: what is acknowledged stands on disk, once, and what it says is
 * what it will say after a restart. */
#include "collector/store/core.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"
#include "tests/lib/make_batch.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct store *store;
static uint64_t session;

static void setup(void)
{
	(void)strcpy(dir, "/tmp/haul-test-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	store = make_store(dir, NULL);
	session = make_session(store, "web-01", "m1", NULL);
}

static void teardown(void)
{
	store_close(store);
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void reopen(void)
{
	store_close(store);
	store = make_store(dir, NULL);
}

static void expect(const char *name, uint64_t lines)
{
	struct make_lines l;
	make_read_archive(dir, &l);
	make_check(&l, name, lines, lines);
	make_lines_free(&l);
}

START_TEST(a_line_arrives)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 100), CHUNK_COMMITTED);
	ck_assert_int_eq(store_checkpoint(store), 0);
	expect("a", 101);
	reopen();
	expect("a", 101);
	session = make_session(store, "web-01", "m1", NULL);
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	reopen();
	expect("a", 102);
}
END_TEST

START_TEST(a_repeat_is_a_duplicate_also_after_a_restart)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	struct make_source before = a;
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 10), CHUNK_COMMITTED);
	struct make_source again = before;
	ck_assert_int_eq(make_send(store, "web-01", session, &again, 10), CHUNK_DUPLICATE);
	reopen();
	session = make_session(store, "web-01", "m1", NULL);
	again = before;
	ck_assert_int_eq(make_send(store, "web-01", session, &again, 10), CHUNK_DUPLICATE);
	reopen();
	expect("a", 10);
}
END_TEST

START_TEST(an_older_session_is_refused)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	uint64_t newer = make_session(store, "web-01", "m1", NULL);
	ck_assert_uint_gt(newer, session);
	struct buf body = BUF_EMPTY;
	make_chunk(&body, &a, "web-01", 1);
	struct make_answer answer;
	make_submit(store, "web-01", session, buf_span(&body), &answer);
	make_wait(&answer);
	ck_assert_int_eq(answer.result, -ESTALE);
	make_answer_free(&answer);
	char host[NAME_MAX_LEN + 1];
	ck_assert_int_eq(store_session_host(store, session, host), -ESTALE);
	ck_assert_int_eq(store_session_host(store, newer + 1, host), -ENOENT);
	ck_assert_int_eq(store_session_host(store, 0, host), -ENOENT);
	ck_assert_int_eq(store_session_host(store, newer, host), 0);
	ck_assert_str_eq(host, "web-01");
	make_submit(store, "web-01", newer, buf_span(&body), &answer);
	make_wait(&answer);
	ck_assert_int_eq((int)answer.verdicts[0].status, CHUNK_COMMITTED);
	make_answer_free(&answer);
	buf_free(&body);
	/* Numbers are never used again, also not after a restart. */
	reopen();
	ck_assert_uint_gt(make_session(store, "db-01", "m2", NULL), newer);
}
END_TEST

static _Atomic int64_t later_ns;

static int64_t real_later(void)
{
	return later_ns;
}

START_TEST(another_machine_waits_until_the_first_is_silent)
{
	int result;
	(void)make_session(store, "web-01", "m2", &result);
	ck_assert_int_eq(result, -EBUSY);
	(void)make_session(store, "web-01", "", &result);
	ck_assert_int_eq(result, 0);
	(void)make_session(store, "web-02", "m2", &result);
	ck_assert_int_eq(result, 0);
	/* The machine of web-01 is not known any more: nobody can be another one. */
	(void)make_session(store, "web-01", "m1", &result);
	ck_assert_int_eq(result, 0);
	reopen();
	(void)make_session(store, "web-01", "m2", &result);
	ck_assert_int_eq(result, -EBUSY);
	later_ns = clock_real_ns() + 301 * NUM_SEC_NS;
	clock_replace(NULL, real_later);
	(void)make_session(store, "web-01", "m2", &result);
	clock_replace(NULL, NULL);
	ck_assert_int_eq(result, 0);
}
END_TEST

/* A week without a line: the clock is as sure at its end as it was at its beginning. */
START_TEST(the_clock_is_believed_while_nothing_happens)
{
	struct store_counters c;
	store_close(store);
	store = make_store(dir, &(struct store_config){.clock_ns = NUM_MS_NS});
	ck_assert_int_eq(store_checkpoint(store), 0);
	later_ns = clock_real_ns();
	store_counters(store, &c);
	uint64_t checkpoints = c.checkpoints;
	ck_assert_int_ge(c.sure_clock_us, (later_ns - NUM_SEC_NS) / NUM_US_NS);
	clock_replace(NULL, real_later);
	int64_t deadline_ns = clock_mono_ns() + 60 * NUM_SEC_NS;
	for (int day = 0; day < 7; day++) {
		later_ns += NUM_DAY_SEC * NUM_SEC_NS;
		do {
			ck_assert_int_lt(clock_mono_ns(), deadline_ns);
			(void)usleep(1000);
			store_counters(store, &c);
		} while (c.sure_clock_us != later_ns / NUM_US_NS);
	}
	ck_assert_uint_eq(c.checkpoints, checkpoints);
	/* A jump of days is not. */
	later_ns += 3 * NUM_DAY_SEC * NUM_SEC_NS;
	store_counters(store, &c);
	ck_assert_int_eq(store_checkpoint(store), 0);
	store_counters(store, &c);
	ck_assert_int_eq(c.sure_clock_us, later_ns / NUM_US_NS - 3 * NUM_DAY_SEC * 1000000);
	clock_replace(NULL, NULL);
}
END_TEST

START_TEST(another_host_s_stream_id_is_another_stream)
{
	struct make_source a, b;
	make_source(&a, "checkout", "a");
	make_source(&b, "checkout", "b");
	b.stream = a.stream;
	uint64_t other = make_session(store, "web-02", "m2", NULL);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 5), CHUNK_COMMITTED);
	ck_assert_int_eq((int)make_send(store, "web-02", other, &b, 7), CHUNK_COMMITTED);
	store_close(store);
	store = make_store(dir, NULL);
	expect("a", 5);
	expect("b", 7);
}
END_TEST

/* Chunks of one stream in one batch: each is judged on what the one before has made of it. */
START_TEST(chunks_in_one_batch)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	struct buf body = BUF_EMPTY;
	make_chunk(&body, &a, "web-01", 3);
	struct make_source fork = a;
	make_chunk(&body, &a, "web-01", 3);
	make_chunk(&body, &fork, "web-01", 2); /* overlaps: ends below the offset */
	struct make_source ahead = a;
	struct buf ignored = BUF_EMPTY;
	make_chunk(&ignored, &ahead, "web-01", 1);
	make_chunk(&body, &ahead, "web-01", 1); /* leaves a hole */
	make_chunk(&body, &a, "web-01", 1);
	struct make_answer answer;
	make_submit(store, "web-01", session, buf_span(&body), &answer);
	make_wait(&answer);
	static const enum chunk_status want[] = {CHUNK_COMMITTED, CHUNK_COMMITTED, CHUNK_DUPLICATE,
						 CHUNK_CONFLICT, CHUNK_COMMITTED};
	ck_assert_uint_eq(answer.n, 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_int_eq((int)answer.verdicts[i].status, (int)want[i]);
	ck_assert_uint_eq(answer.verdicts[4].offset, a.offset);
	make_answer_free(&answer);
	buf_free(&body);
	buf_free(&ignored);
	reopen();
	expect("a", 7);
}
END_TEST

START_TEST(a_refused_chunk_does_not_spoil_the_others)
{
	struct make_source a, b;
	make_source(&a, "check/out", "a"); /* no valid name */
	make_source(&b, "checkout", "b");
	struct buf body = BUF_EMPTY;
	make_chunk(&body, &a, "web-01", 3);
	make_chunk(&body, &b, "web-01", 3);
	struct chunk far = {.host = SPAN_LITERAL("web-01"),
			    .service = SPAN_LITERAL("checkout"),
			    .to = UINT64_C(1) << 63};
	make_raw_chunk(&body, &far, (struct span){0});
	struct make_answer answer;
	make_submit(store, "web-01", session, buf_span(&body), &answer);
	make_wait(&answer);
	ck_assert_int_eq((int)answer.verdicts[0].status, CHUNK_REFUSED);
	ck_assert_ptr_nonnull(answer.verdicts[0].error);
	ck_assert_int_eq((int)answer.verdicts[1].status, CHUNK_COMMITTED);
	ck_assert_int_eq((int)answer.verdicts[2].status, CHUNK_REFUSED);
	make_answer_free(&answer);
	buf_free(&body);
}
END_TEST

START_TEST(a_loss_is_in_the_ledger_once)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 2), CHUNK_COMMITTED);
	struct chunk c = {.stream = a.stream,
			  .host = SPAN_LITERAL("web-01"),
			  .service = SPAN_LITERAL("checkout"),
			  .path = SPAN_LITERAL("/var/log/a.log"),
			  .from = a.offset,
			  .to = a.offset + 100,
			  .base = a.offset + 100,
			  .crc_from = a.crc,
			  .loss = SPAN_LITERAL("truncated")};
	struct buf body = BUF_EMPTY;
	make_raw_chunk(&body, &c, (struct span){0});
	for (int i = 0; i < 2; i++) { /* the second is a duplicate */
		struct make_answer answer;
		make_submit(store, "web-01", session, buf_span(&body), &answer);
		make_wait(&answer);
		ck_assert_int_eq((int)answer.verdicts[0].status,
				 i ? CHUNK_DUPLICATE : CHUNK_COMMITTED);
		ck_assert_uint_eq(answer.verdicts[0].offset, c.to);
		make_answer_free(&answer);
	}
	buf_free(&body);
	reopen();
	char command[256];
	(void)snprintf(command, sizeof(command),
		       "test $(sqlite3 -batch %s/.haul/ledger-export.db "
		       "\"SELECT count(*) || cause FROM loss\") = 1truncated",
		       dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(room_is_kept)
{
	ck_assert_int_eq(store_admit(store, 1000, 5000), 0);
	ck_assert_int_eq(store_admit(store, UINT64_C(1) << 60, 0), -ENOSPC);
	ck_assert_int_eq(store_admit(store, UINT64_MAX, UINT64_MAX), -ENOSPC);
	struct store_config all = {.segment_bytes = 1 << 20,
				   .min_free = {.is_percent = true, .value = 100}};
	store_close(store);
	store = make_store(dir, &all);
	ck_assert_int_eq(store_admit(store, 1, 1), -ENOSPC);
}
END_TEST

START_TEST(one_collector_a_directory)
{
	struct store_config c = {.data_dir = dir, .segment_bytes = 1 << 20};
	struct store *second;
	struct conf_error err;
	ck_assert_int_eq(store_open(&c, &second, &err), -EWOULDBLOCK);
	ck_assert_ptr_nonnull(strstr(err.text, dir));
	char uuid[STORE_UUID_LEN + 1];
	(void)snprintf(uuid, sizeof(uuid), "%s", store_uuid(store));
	reopen();
	ck_assert_str_eq(store_uuid(store), uuid);
}
END_TEST

/* `what` below the directory of today. */
static void today_path(const char *what, char ret[128])
{
	char text[CIVIL_DAY_LEN + 1] = "";
	civil_format_day(text, civil_day_of_us(clock_real_ns() / NUM_US_NS));
	(void)snprintf(ret, 128, "%s/%s%s", dir, text, what);
}

static void plant(const char *what, const char *target)
{
	char path[128];
	today_path(what, path);
	if (target)
		ck_assert_int_eq(symlink(target, path), 0);
	else
		ck_assert_int_eq(close(creat(path, 0600)), 0);
}

static void take_away(const char *what)
{
	char path[128], command[300];
	today_path(what, path);
	(void)snprintf(command, sizeof(command), "mv %s %s/away-$$", path, dir);
	ck_assert_int_eq(system(command), 0);
}

static void expect_aside(unsigned n)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "test $(ls %s/.haul/quarantine | wc -l) = %u", dir,
		       n);
	ck_assert_int_eq(system(command), 0);
}

/* Whatever stands where a directory has to be, and whenever: it is put aside, nothing is written through it, all lines
 * are there, and the others never notice. */
START_TEST(a_planted_link_leads_nowhere_and_stops_nobody)
{
	static const char *const where[] = {"", "/checkout"};
	char target[128];
	unsigned aside = 0;
	(void)snprintf(target, sizeof(target), "%s/elsewhere", dir);
	ck_assert_int_eq(mkdir(target, 0700), 0);
	for (unsigned i = 0; i < 8; i++) {
		/* At the day or at the service, a link or a file, while it runs or is down. */
		const char *what = where[i & 1];
		bool link = i & 2, down = i & 4;
		char a_name[8], b_name[8];
		(void)snprintf(a_name, sizeof(a_name), "a%u", i);
		(void)snprintf(b_name, sizeof(b_name), "b%u", i);
		struct make_source a, b;
		make_source(&a, "checkout", a_name);
		make_source(&b, "cart", b_name);
		if (down) {
			/* Lines that the log has and no file. */
			ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 5),
					 CHUNK_COMMITTED);
			store_close(store);
		}
		if (i) /* else nothing is there yet */
			take_away(what);
		plant(what, link ? target : NULL);
		if (down) {
			store = make_store(dir, NULL);
			session = make_session(store, "web-01", "m1", NULL);
		}
		ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 3), CHUNK_COMMITTED);
		ck_assert_int_eq((int)make_send(store, "web-01", session, &b, 4), CHUNK_COMMITTED);
		ck_assert_int_eq(store_checkpoint(store), 0);
		char text[128];
		ck_assert_int_eq(store_failure(store, text, sizeof(text)), 0);
		expect(b_name, 4);
		struct make_lines l;
		make_read_archive(dir, &l);
		size_t found = 0;
		for (size_t k = 0; k < l.n; k++)
			found += strcmp(l.names[k], a_name) == 0;
		make_lines_free(&l);
		ck_assert_uint_ge(found, 3); /* those before were taken away with their directory */
		expect_aside(++aside);
	}
	ck_assert_int_eq(rmdir(target), 0); /* it is empty */
}
END_TEST

/* The live file is open, its directory is moved and linked to: nothing fails when it has to be opened again, or closed. */
START_TEST(a_directory_that_is_moved_and_linked_is_begun_anew)
{
	struct store_config small = {.segment_bytes = 2000, .checkpoint_bytes = 1000};
	char path[128], target[128], command[600];
	store_close(store);
	store = make_store(dir, &small);
	session = make_session(store, "web-01", "m1", NULL);
	struct make_source a, b;
	make_source(&a, "checkout", "a");
	make_source(&b, "cart", "b");
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 3), CHUNK_COMMITTED);
		ck_assert_int_eq(store_checkpoint(store), 0);
		today_path("/checkout", path);
		(void)snprintf(target, sizeof(target), "%s/moved%u", dir, i);
		(void)snprintf(command, sizeof(command), "mv %s %s && ln -s %s %s", path, target,
			       target, path);
		ck_assert_int_eq(system(command), 0);
		if (i == 3) { /* in recovery */
			store_close(store);
			store = make_store(dir, &small);
			session = make_session(store, "web-01", "m1", NULL);
		}
		/* Full: the checkpoint closes it. */
		ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 50), CHUNK_COMMITTED);
		ck_assert_int_eq((int)make_send(store, "web-01", session, &b, 50), CHUNK_COMMITTED);
		ck_assert_int_eq(store_checkpoint(store), 0);
		ck_assert_int_eq(store_checkpoint(store), 0);
		char text[128];
		ck_assert_int_eq(store_failure(store, text, sizeof(text)), 0);
	}
	expect("b", 200);
}
END_TEST

/* SQLite opens by name; a link in the ledger's place is not what it opens. */
START_TEST(a_link_for_a_ledger_is_not_followed)
{
	char link[128], target[128], uuid[STORE_UUID_LEN + 1];
	struct make_source a;
	make_source(&a, "checkout", "a");
	(void)make_send(store, "web-01", session, &a, 3);
	(void)snprintf(uuid, sizeof(uuid), "%s", store_uuid(store));
	store_close(store);
	(void)snprintf(target, sizeof(target), "%s/elsewhere", dir);
	static const char *const names[] = {"ledger.db", "ledger.db-journal"};
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(link, sizeof(link), "%s/.haul/%s", dir, names[i]);
		(void)unlink(link);
		ck_assert_int_eq(symlink(target, link), 0);
	}
	store = make_store(dir, NULL);
	struct stat st;
	ck_assert_int_lt(stat(target, &st), 0); /* nothing was made through it */
	ck_assert_str_eq(store_uuid(store), uuid);
	expect("a", 3);
}
END_TEST

/* One batch of chunks of a line each. Nothing of it is taken when the host is at a limit, and the sources then stand
 * where they stood. */
static int send_together(struct store *s, const char *host, uint64_t number,
			 struct make_source *sources, size_t n)
{
	struct buf body = BUF_EMPTY;
	struct make_answer answer = {0};
	struct make_source before[8];
	ck_assert_uint_le(n, sizeof(before) / sizeof(before[0]));
	for (size_t i = 0; i < n; i++) {
		before[i] = sources[i];
		make_chunk(&body, &sources[i], host, 1);
	}
	make_submit(s, host, number, buf_span(&body), &answer);
	make_wait(&answer);
	for (size_t i = 0; i < n; i++) {
		if (answer.result < 0)
			sources[i] = before[i];
		else
			ck_assert_int_eq((int)answer.verdicts[i].status, CHUNK_COMMITTED);
	}
	int result = answer.result;
	make_answer_free(&answer);
	buf_free(&body);
	return result;
}

static void note_beyond(void *user, const struct store_host *h)
{
	if (h->beyond && span_is(h->host, "web-01"))
		*(bool *)user = true;
}

static bool web_01_is_beyond(void)
{
	bool beyond = false;
	store_hosts(store, 0, note_beyond, &beyond);
	return beyond;
}

/* Beyond it nothing is lost: the batch is put off as a whole, other hosts go on, and so does this one where it needs no
 * new file. */
START_TEST(files_of_a_host_have_a_limit)
{
	struct store_config few = {.segment_bytes = 1 << 20, .host_files = 3};
	struct store_counters counters;
	struct make_source s[4], other;
	store_close(store);
	store = make_store(dir, &few);
	session = make_session(store, "web-01", "m1", NULL);
	make_source(&s[0], "checkout", "a");
	make_source(&s[1], "checkout", "b");
	make_source(&s[2], "cart", "c");
	make_source(&s[3], "search", "d");
	/* Four chunks of three services fit exactly. */
	ck_assert_int_eq(send_together(store, "web-01", session, s, 4), 0);
	ck_assert(!web_01_is_beyond());
	struct make_source more[2];
	make_source(&more[0], "cart", "e");
	make_source(&more[1], "billing", "f");
	ck_assert_int_eq(send_together(store, "web-01", session, more, 2), -EDQUOT);
	ck_assert(web_01_is_beyond());
	store_counters(store, &counters);
	ck_assert_uint_eq(counters.beyond_limits, 1);
	ck_assert_uint_eq(counters.refused, 0);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &more[0], 1), CHUNK_COMMITTED);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &s[3], 1), CHUNK_COMMITTED);
	ck_assert(!web_01_is_beyond());
	make_source(&other, "billing", "g");
	ck_assert_int_eq((int)make_send(store, "web-02", make_session(store, "web-02", "m2", NULL),
					&other, 1),
			 CHUNK_COMMITTED);
	/* Raised, as a reload does it: what waited is taken. */
	few.host_files = 4;
	store_close(store);
	store = make_store(dir, &few);
	session = make_session(store, "web-01", "m1", NULL);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &more[1], 1), CHUNK_COMMITTED);
	ck_assert_int_eq(store_checkpoint(store), 0); /* lines stand in files after the answer */
	expect("e", 1);
	expect("f", 1);
	expect("d", 2);
}
END_TEST

/* What a host's streams take is counted, and has an end. */
START_TEST(streams_of_a_host_have_a_limit)
{
	struct make_source a, b, c;
	make_source(&a, "checkout", "a");
	make_source(&b, "checkout", "b");
	make_source(&c, "checkout", "c");
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	struct host *host = hosts_find(&store->hosts, SPAN_LITERAL("web-01"));
	uint64_t one = host->stream_bytes;
	ck_assert_uint_ge(one, sizeof(struct stream));
	ck_assert_int_eq((int)make_send(store, "web-01", session, &b, 1), CHUNK_COMMITTED);
	ck_assert_uint_eq(host->stream_bytes, 2 * one);
	uint64_t filling = STORE_STREAM_BYTES_PER_HOST - host->stream_bytes;
	host->stream_bytes += filling;
	ck_assert_int_eq(send_together(store, "web-01", session, &c, 1), -EDQUOT);
	ck_assert(web_01_is_beyond());
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	host->stream_bytes -= filling;
	size_t open = host->open.n;
	host->open.n = STORE_STREAMS_PER_HOST;
	ck_assert_int_eq(send_together(store, "web-01", session, &c, 1), -EDQUOT);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	host->open.n = open;
	ck_assert_int_eq((int)make_send(store, "web-01", session, &c, 1), CHUNK_COMMITTED);
	uint64_t three = host->stream_bytes;
	ck_assert_uint_gt(three, 2 * one);
	reopen(); /* they weigh the same when they come from the disk */
	host = hosts_find(&store->hosts, SPAN_LITERAL("web-01"));
	ck_assert_uint_eq(host->stream_bytes, three);
	struct make_source d;
	make_source(&d, "checkout", "d");
	ck_assert_int_eq(
		(int)make_send(store, "web-02", make_session(store, "web-02", "m2", NULL), &d, 1),
		CHUNK_COMMITTED);
	ck_assert_uint_eq(host->stream_bytes, three);
}
END_TEST

START_TEST(full_segments_are_closed_by_number)
{
	struct store_config small = {.segment_bytes = 2000, .checkpoint_bytes = 1000};
	store_close(store);
	store = make_store(dir, &small);
	session = make_session(store, "web-01", "m1", NULL);
	struct make_source a;
	make_source(&a, "checkout", "a");
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 50), CHUNK_COMMITTED);
		ck_assert_int_eq(store_checkpoint(store), 0);
	}
	char command[128];
	(void)snprintf(command, sizeof(command), "test $(ls %s/20*/checkout | wc -l) = 5", dir);
	ck_assert_int_eq(system(command), 0);
	expect("a", 250);
	(void)snprintf(command, sizeof(command), "test -s %s/20*/checkout/web-01.0005.log", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tcase = tcase_create("store");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_line_arrives);
	tcase_add_test(tcase, a_repeat_is_a_duplicate_also_after_a_restart);
	tcase_add_test(tcase, an_older_session_is_refused);
	tcase_add_test(tcase, another_machine_waits_until_the_first_is_silent);
	tcase_add_test(tcase, the_clock_is_believed_while_nothing_happens);
	tcase_add_test(tcase, another_host_s_stream_id_is_another_stream);
	tcase_add_test(tcase, chunks_in_one_batch);
	tcase_add_test(tcase, a_refused_chunk_does_not_spoil_the_others);
	tcase_add_test(tcase, a_loss_is_in_the_ledger_once);
	tcase_add_test(tcase, room_is_kept);
	tcase_add_test(tcase, one_collector_a_directory);
	tcase_add_test(tcase, a_planted_link_leads_nowhere_and_stops_nobody);
	tcase_add_test(tcase, a_directory_that_is_moved_and_linked_is_begun_anew);
	tcase_add_test(tcase, a_link_for_a_ledger_is_not_followed);
	tcase_add_test(tcase, files_of_a_host_have_a_limit);
	tcase_add_test(tcase, streams_of_a_host_have_a_limit);
	tcase_add_test(tcase, full_segments_are_closed_by_number);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
