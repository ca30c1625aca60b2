/* The ledger: what is put comes back as it was, a transaction happens as a whole or not at all, and
 * rows or files that make no sense are refused. */
#include "collector/store/ledger.h"
#include "common/file.h"
#include "tests/lib/ledger_by_hand.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/haul-test-ledger-XXXXXX";
static char path[64], copy[64];
static struct ledger *ledger;
static struct host host;

static void open_ledger(void)
{
	ck_assert_int_eq(ledger_open(path, &ledger), 0);
}

static void setup(void)
{
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/ledger.db", dir);
	(void)snprintf(copy, sizeof(copy), "%s/copy.db", dir);
	open_ledger();
	host = (struct host){.name = "web-01",
			     .machine = "m\0" /* opaque */ "1",
			     .machine_len = 3,
			     .row = 1,
			     .session = 7,
			     .first_contact_us = -5,
			     .last_contact_us = INT64_MAX,
			     .lines = 3,
			     .bytes = 300};
}

static void teardown(void)
{
	char command[96];
	ledger_close(ledger);
	ledger = NULL;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct stream stream_of(uint64_t row)
{
	static char text[] = "checkoutcart-1/var/log/\xff.log", state[] = "s\0t";
	static struct gap gaps[2];
	gaps[0] = (struct gap){.from = 5, .to = 9, .base = 1, .crc_from = UINT64_MAX};
	gaps[1] = (struct gap){
		.from = 20, .to = 30, .base = 2, .crc_from = 3, .crc_to = 4, .crc_to_known = true};
	return (struct stream){.id = {{1, 2, 3, 0, 255}},
			       .host = &host,
			       .row = row,
			       .start = 0,
			       .base = 1,
			       .offset = INT64_MAX,
			       .crc = UINT64_MAX,
			       .ino = UINT64_MAX,
			       .btime_ns = -1,
			       .born_us = 11,
			       .last_us = 12,
			       .lines = 13,
			       .dropped = 14,
			       .stored_bytes = 15,
			       .lost_bytes = 16,
			       .text = text,
			       .state = state,
			       .service_len = 8,
			       .instance_len = 6,
			       .path_len = sizeof(text) - 15,
			       .state_len = 3,
			       .gaps = gaps,
			       .n_gaps = 2,
			       .ended = true,
			       .gaps_changed = true};
}

static struct segment_row segment_of(uint32_t number, enum segment_state state)
{
	return (struct segment_row){.day = 20779,
				    .service = SPAN_LITERAL("checkout"),
				    .host = SPAN_LITERAL("web-01"),
				    .number = number,
				    .state = state,
				    .inode = UINT64_MAX,
				    .length = INT64_MAX,
				    .lines = 2,
				    .first_us = -3,
				    .last_us = 4,
				    .crc = UINT64_MAX,
				    .crc_known = number % 2};
}

struct counted {
	unsigned hosts, streams, gaps, segments;
	uint64_t stream_row;
};

static int see_host(void *user, const struct host *h)
{
	((struct counted *)user)->hosts++;
	ck_assert_str_eq(h->name, host.name);
	ck_assert_uint_eq(h->machine_len, host.machine_len);
	ck_assert_mem_eq(h->machine, host.machine, host.machine_len);
	ck_assert_uint_eq(h->session, host.session);
	ck_assert_int_eq(h->first_contact_us, host.first_contact_us);
	ck_assert_int_eq(h->last_contact_us, host.last_contact_us);
	ck_assert_uint_eq(h->lines, host.lines);
	ck_assert_uint_eq(h->bytes, host.bytes);
	return 0;
}

static int see_stream(void *user, uint64_t host_row, const struct stream *s)
{
	struct counted *n = user;
	struct stream was = stream_of(s->row);
	n->streams++;
	n->stream_row = s->row;
	ck_assert_uint_eq(host_row, host.row);
	ck_assert(stream_id_equal(&s->id, &was.id));
	ck_assert(span_equal(stream_service(s), stream_service(&was)));
	ck_assert(span_equal(stream_instance(s), stream_instance(&was)));
	ck_assert(span_equal(stream_path(s), stream_path(&was)));
	ck_assert(span_equal(stream_state(s), stream_state(&was)));
	ck_assert_uint_eq(s->offset, was.offset);
	ck_assert_uint_eq(s->base, was.base);
	ck_assert_uint_eq(s->crc, was.crc);
	ck_assert_uint_eq(s->ino, was.ino);
	ck_assert_int_eq(s->btime_ns, was.btime_ns);
	ck_assert_int_eq(s->last_us, was.last_us);
	ck_assert_uint_eq(s->lost_bytes, was.lost_bytes);
	ck_assert(s->ended);
	return 0;
}

static int see_gap(void *user, uint64_t stream_row, const struct gap *g)
{
	struct counted *n = user;
	struct stream was = stream_of(stream_row);
	const struct gap *w = &was.gaps[g->from == 20];
	n->gaps++;
	ck_assert_uint_eq(g->to, w->to);
	ck_assert_uint_eq(g->base, w->base);
	ck_assert_uint_eq(g->crc_from, w->crc_from);
	ck_assert_int_eq(g->crc_to_known, w->crc_to_known);
	ck_assert_uint_eq(g->crc_to, w->crc_to);
	return 0;
}

static int see_segment(void *user, const struct segment_row *row)
{
	struct segment_row was = segment_of(row->number, row->state);
	((struct counted *)user)->segments++;
	ck_assert_int_eq(row->day, was.day);
	ck_assert(span_equal(row->service, was.service) && span_equal(row->host, was.host));
	ck_assert_uint_eq(row->inode, was.inode);
	ck_assert_uint_eq(row->length, was.length);
	ck_assert_int_eq(row->first_us, was.first_us);
	ck_assert_int_eq(row->crc_known, was.crc_known);
	ck_assert(!was.crc_known || row->crc == was.crc);
	return 0;
}

static int read_all(struct counted *ret)
{
	*ret = (struct counted){0};
	const struct ledger_reader reader = {.host = see_host,
					     .stream = see_stream,
					     .gap = see_gap,
					     .segment = see_segment,
					     .user = ret};
	return ledger_read(ledger, &reader);
}

static void put_all(uint64_t stream_row)
{
	struct stream s = stream_of(stream_row);
	ck_assert_int_eq(ledger_put_host(ledger, &host), 0);
	ck_assert_int_eq(ledger_put_stream(ledger, &s), 0);
	for (uint32_t i = 0; i <= SEGMENT_STATE_DELETED; i++) {
		struct segment_row row = segment_of(i + 1, (enum segment_state)i);
		ck_assert_int_eq(ledger_put_segment(ledger, &row), 0);
	}
	struct loss loss = {.host = "web-01",
			    .service = SPAN_LITERAL("checkout"),
			    .path = SPAN_LITERAL("/var/log/x"),
			    .cause = "truncated",
			    .from = 1,
			    .to = 2,
			    .time_us = 3};
	struct archive_note note = {.day = 20779,
				    .service = SPAN_LITERAL("checkout"),
				    .host = SPAN_LITERAL("web-01"),
				    .number = 1,
				    .from = 2,
				    .to = 3,
				    .what = "cut",
				    .time_us = 4};
	ck_assert_int_eq(ledger_add_loss(ledger, &loss), 0);
	ck_assert_int_eq(ledger_add_note(ledger, &note), 0);
}

static const struct ledger_meta meta = {
	.uuid = "01234567-89ab-4cde-8f01-23456789abcd", .lsn = UINT64_MAX >> 1, .last_session = 9};

START_TEST(what_is_put_comes_back)
{
	struct counted n;
	struct ledger_meta m;
	ck_assert_int_eq(ledger_begin(ledger), 0);
	put_all(1);
	put_all(1); /* once more: nothing is there twice */
	ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(read_all(&n), 0);
		ck_assert_uint_eq(n.hosts, 1);
		ck_assert_uint_eq(n.streams, 1);
		ck_assert_uint_eq(n.gaps, 2);
		ck_assert_uint_eq(n.segments, SEGMENT_STATE_DELETED + 1);
		ck_assert_int_eq(ledger_read_meta(ledger, &m), 0);
		ck_assert_str_eq(m.uuid, meta.uuid);
		ck_assert_uint_eq(m.lsn, meta.lsn);
		ck_assert_uint_eq(m.last_session, meta.last_session);
		ledger_close(ledger);
		open_ledger();
	}
	ck_assert_int_eq(ledger_copy(ledger, copy), 0);
	ck_assert_int_eq(ledger_probe(copy, &m), 0);
	ck_assert_uint_eq(m.lsn, meta.lsn);
}
END_TEST

START_TEST(what_is_removed_is_gone_and_may_come_again)
{
	struct counted n;
	struct segment_row row = segment_of(1, SEGMENT_STATE_LIVE);
	ck_assert_int_eq(ledger_begin(ledger), 0);
	put_all(1);
	ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
	ck_assert_int_eq(ledger_begin(ledger), 0);
	ck_assert_int_eq(ledger_remove_stream(ledger, 1), 0);
	ck_assert_int_eq(ledger_remove_stream(ledger, 99), 0); /* never was */
	ck_assert_int_eq(ledger_remove_segment(ledger, &row), 0);
	ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
	ck_assert_int_eq(read_all(&n), 0);
	ck_assert_uint_eq(n.streams + n.gaps, 0);
	ck_assert_uint_eq(n.segments, SEGMENT_STATE_DELETED);
	/* The same id in another row, in the transaction that removes the first. */
	struct stream again = stream_of(2), third = stream_of(3);
	ck_assert_int_eq(ledger_begin(ledger), 0);
	ck_assert_int_eq(ledger_put_stream(ledger, &again), 0);
	ck_assert_int_eq(ledger_remove_stream(ledger, 2), 0);
	ck_assert_int_eq(ledger_put_stream(ledger, &third), 0);
	ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
	ck_assert_int_eq(read_all(&n), 0);
	ck_assert_uint_eq(n.streams, 1);
	ck_assert_uint_eq(n.stream_row, 3);
	ck_assert_uint_eq(n.gaps, 2);
}
END_TEST

START_TEST(a_transaction_that_is_given_up_never_was)
{
	struct counted n;
	struct ledger_meta m;
	ck_assert_int_eq(ledger_begin(ledger), 0);
	put_all(1);
	ledger_rollback(ledger);
	ck_assert_int_eq(read_all(&n), 0);
	ck_assert_uint_eq(n.hosts + n.streams + n.gaps + n.segments, 0);
	ck_assert_int_eq(ledger_read_meta(ledger, &m), 0);
	ck_assert_str_eq(m.uuid, "");
	ck_assert_int_eq(ledger_begin(ledger), 0);
	put_all(1);
	ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
	ck_assert_int_eq(read_all(&n), 0);
	ck_assert_uint_eq(n.hosts, 1);
}
END_TEST

static void by_hand(const char *text, bool sums)
{
	ledger_close(ledger);
	ledger = NULL;
	sqlite3 *db = ledger_open_by_hand(path);
	ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	if (sums)
		ledger_add_sums(db);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* Of all that stands in a row, a number that is another one included. */
START_TEST(a_row_that_changed_is_found)
{
	static const char *const changes[] = {
		"UPDATE meta SET value = value + 1 WHERE key = 'lsn'",
		"UPDATE meta SET value = upper(value) WHERE key = 'uuid'",
		"UPDATE meta SET value = 3 WHERE key = 'version'",
		"UPDATE meta SET key = 'lsm' WHERE key = 'lsn'",
		"UPDATE host SET session = session + 1024",
		"UPDATE host SET machine = NULL",
		"UPDATE stream SET offset = offset + 4",
		"UPDATE stream SET crc = crc + 1",
		"UPDATE stream SET id = id + 1",
		"UPDATE gap SET crc_to = NULL WHERE crc_to IS NOT NULL",
		"UPDATE gap SET to_byte = to_byte - 1",
		"UPDATE loss SET to_byte = to_byte + 1",
		"UPDATE segment SET length = length - 8 WHERE number = 1",
		"UPDATE segment SET crc = NULL",
		"UPDATE archive_note SET what = 'cot'",
	};
	struct ledger_meta m;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		ck_assert_int_eq(ledger_begin(ledger), 0);
		put_all(1);
		ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
		by_hand(changes[i], false);
		ck_assert_msg(ledger_open(path, &ledger) == -EBADMSG, "%s", changes[i]);
		ck_assert_int_eq(ledger_probe(path, &m), -EBADMSG);
		by_hand("DELETE FROM host; DELETE FROM stream; DELETE FROM gap; DELETE FROM loss;"
			"DELETE FROM segment; DELETE FROM archive_note; DELETE FROM meta WHERE key "
			"<> 'version'; UPDATE meta SET value = 1",
			true);
		open_ledger();
	}
}
END_TEST

START_TEST(rows_that_make_no_sense)
{
	static const char *const bad[] = {
		"UPDATE host SET name = '../web'",
		"UPDATE host SET name = 'web-01.0001'",
		"UPDATE stream SET stream = x'00'",
		"UPDATE stream SET service = printf('%.*c', 129, 'a')",
		"UPDATE stream SET path = zeroblob(5000)",
		"UPDATE stream SET state = zeroblob(1025)",
		"UPDATE segment SET day = '2026-13-01'",
		"UPDATE segment SET day = 5",
		"UPDATE segment SET service = '..' WHERE number = 1",
		"UPDATE segment SET host = '' WHERE number = 1",
		"UPDATE segment SET number = 0 WHERE number = 1",
		"UPDATE segment SET length = -1",
		"UPDATE segment SET state = 'Live'",
	};
	struct counted n;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_int_eq(ledger_begin(ledger), 0);
		put_all(1);
		ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
		ck_assert_int_eq(read_all(&n), 0);
		by_hand(bad[i], true);
		open_ledger();
		ck_assert_msg(read_all(&n) == -EBADMSG, "%s", bad[i]);
		by_hand("DELETE FROM host; DELETE FROM stream; DELETE FROM gap; DELETE FROM "
			"segment",
			true);
		open_ledger();
	}
}
END_TEST

START_TEST(files_that_are_no_ledger)
{
	struct ledger_meta m;
	by_hand("UPDATE meta SET value = 2 WHERE key = 'version'", true);
	ck_assert_int_eq(ledger_open(path, &ledger), -EPROTONOSUPPORT);
	by_hand("UPDATE meta SET value = 1 WHERE key = 'version'; PRAGMA application_id = 5", true);
	ck_assert_int_eq(ledger_open(path, &ledger), -EBADMSG);
	ck_assert_int_eq(ledger_probe(path, &m), -EBADMSG);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ck_assert_int_eq(file_write_all(fd, SPAN_LITERAL("no database, but a text that is long "
							 "enough to be taken for one at first")),
			 0);
	file_close(&fd);
	ck_assert_int_eq(ledger_open(path, &ledger), -EBADMSG);
	ck_assert_int_eq(ledger_probe(copy, &m), -ENOENT);
	ck_assert_int_eq(unlink(path), 0);
	open_ledger();
}
END_TEST

/* One bit of `fd` is another one: is that refused? What is read otherwise is as it was. */
static bool flipped_is_refused(int fd, off_t at)
{
	struct counted n;
	struct ledger_meta m;
	unsigned char was, bad;
	ck_assert_int_eq(pread(fd, &was, 1, at), 1);
	bad = (unsigned char)(was ^ 1u << at % 7);
	ck_assert_int_eq(pwrite(fd, &bad, 1, at), 1);
	int r = ledger_open(path, &ledger);
	if (r == 0)
		r = ledger_read_meta(ledger, &m);
	if (r == 0)
		r = read_all(&n);
	if (r == 0) {
		ck_assert_uint_eq(n.hosts, 1);
		ck_assert_uint_eq(n.streams, 1);
		ck_assert_uint_eq(n.gaps, 2);
		ck_assert_uint_eq(n.segments, SEGMENT_STATE_DELETED + 1);
		ck_assert_str_eq(m.uuid, meta.uuid);
		ck_assert_uint_eq(m.lsn, meta.lsn);
	}
	ck_assert(r == 0 || r == -EBADMSG);
	if (ledger)
		ledger_close(ledger);
	ledger = NULL;
	ck_assert_int_eq(pwrite(fd, &was, 1, at), 1);
	return r < 0;
}

/* Whatever bit of the file is another one. Most of it is room that nothing stands in; every byte
 * that is not 0 is tried, and some of the others. */
START_TEST(damage_is_found)
{
	struct counted n;
	unsigned refused = 0, tried = 0;
	ck_assert_int_eq(ledger_begin(ledger), 0);
	put_all(1);
	ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
	ledger_close(ledger);
	ledger = NULL;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char byte;
	for (off_t at = 0; pread(fd, &byte, 1, at) == 1; at++) {
		if (!byte && at % 97)
			continue;
		tried++;
		refused += flipped_is_refused(fd, at);
	}
	file_close(&fd);
	ck_assert_uint_gt(refused, tried / 8);
	open_ledger();
	ck_assert_int_eq(read_all(&n), 0);
	ck_assert_uint_eq(n.streams, 1);
}
END_TEST

static sqlite3_mem_methods memory; /* SQLite's own */
static unsigned grants;            /* so many requests are still granted */
static bool for_good;              /* all later ones fail, too, and not the next one alone */

static bool is_granted(void)
{
	if (grants == 0)
		return !for_good;
	return --grants > 0;
}

static void *grant(int size)
{
	return is_granted() ? memory.xMalloc(size) : NULL;
}

static void *grant_more(void *ptr, int size)
{
	return is_granted() ? memory.xRealloc(ptr, size) : NULL;
}

static void begin_refusing(void)
{
	static sqlite3_mem_methods refusing;
	ck_assert_int_eq(sqlite3_shutdown(), SQLITE_OK);
	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory), SQLITE_OK);
	refusing = memory;
	refusing.xMalloc = grant;
	refusing.xRealloc = grant_more;
	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &refusing), SQLITE_OK);
	/* Every request is to be a real one. */
	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
	grants = UINT_MAX;
	ck_assert_int_eq(sqlite3_initialize(), SQLITE_OK);
}

/* Whichever request for memory is refused: a ledger that is fine is not taken for a damaged one. */
START_TEST(short_memory_is_no_damage)
{
	struct counted n;
	unsigned refused = 0, fine = 0;
	ck_assert_int_eq(ledger_begin(ledger), 0);
	put_all(1);
	ck_assert_int_eq(ledger_commit(ledger, &meta), 0);
	ledger_close(ledger);
	ledger = NULL;
	begin_refusing();
	for_good = _i;
	for (unsigned at = 1;; at++) {
		grants = at;
		int r = ledger_open(path, &ledger);
		if (r == 0)
			r = read_all(&n);
		bool over = grants > 0;
		grants = UINT_MAX;
		ck_assert_msg(r == 0 || r == -ENOMEM, "request %u: %s", at, strerror(-r));
		ledger_close(ledger);
		ledger = NULL;
		refused += r < 0;
		fine += r == 0;
		if (over)
			break;
	}
	ck_assert_uint_gt(refused, 10);
	ck_assert_uint_gt(fine, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_ledger");
	TCase *tc = tcase_create("core");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_is_put_comes_back);
	tcase_add_test(tc, what_is_removed_is_gone_and_may_come_again);
	tcase_add_test(tc, a_transaction_that_is_given_up_never_was);
	tcase_add_test(tc, a_row_that_changed_is_found);
	tcase_add_test(tc, rows_that_make_no_sense);
	tcase_add_test(tc, files_that_are_no_ledger);
	tcase_add_test(tc, damage_is_found);
	tcase_add_loop_test(tc, short_memory_is_no_damage, 0, 2);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
