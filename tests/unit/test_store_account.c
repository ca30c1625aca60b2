/* The account: what a reader finds of streams, losses, gaps and segments is what the collector has
 * answered, also when the copy of the ledger is older than that, and nothing that is damaged
 * counts. */
#include "collector/store/account.h"
#include "collector/store/wal_scan.h"

#include "common/file.h"
#include "tests/lib/ledger_by_hand.h"
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
static struct make_source a, b;

static void setup(void)
{
	(void)strcpy(dir, "/tmp/haul-test-account-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	store = make_store(dir, NULL);
	session = make_session(store, "web-01", "m1", NULL);
	make_source(&a, "checkout", "a");
	make_source(&b, "checkout", "b");
}

static void teardown(void)
{
	store_close(store);
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void send(struct make_source *s, size_t lines)
{
	ck_assert_int_eq((int)make_send(store, "web-01", session, s, lines), CHUNK_COMMITTED);
}

static struct account *open_account(void)
{
	struct account *account;
	const char *what;
	int r = account_open(dir, &account, &what);
	ck_assert_msg(r == 0, "%s: %s", what, strerror(-r));
	return account;
}

/* The stream of a source; false: there is none. Its gaps and losses are valid until the account is
 * closed. */
static bool find(struct account *account, const struct make_source *s, struct account_stream *ret)
{
	struct account_stream row;
	bool found = false;
	while (!found && account_next_stream(account, &row) > 0) {
		found = stream_id_equal(&row.id, &s->stream);
		*ret = row;
	}
	return found;
}

static void expect(const struct make_source *s, bool damaged)
{
	struct account *account = open_account();
	struct account_stream row;
	ck_assert_int_eq(account_state(account)->log_damaged, damaged);
	ck_assert(find(account, s, &row));
	ck_assert(span_is(row.host, "web-01"));
	ck_assert(span_is(row.service, s->service));
	ck_assert_uint_eq(row.offset, s->offset);
	ck_assert_uint_eq(row.crc, s->crc);
	ck_assert_uint_eq(row.lines, s->lines);
	ck_assert(row.known);
	account_close(account);
}

START_TEST(it_is_as_of_the_last_answer)
{
	send(&a, 10);
	expect(&a, false);
	send(&a, 1);
	send(&b, 5);
	expect(&a, false);
	expect(&b, false);
	ck_assert_int_eq(store_checkpoint(store), 0);
	send(&b, 7);
	expect(&a, false);
	expect(&b, false);
	store_close(store);
	store = NULL;
	expect(&a, false);
	expect(&b, false);
}
END_TEST

static void lose(struct make_source *s, uint64_t bytes, const char *cause)
{
	struct chunk c = {.stream = s->stream,
			  .host = SPAN_LITERAL("web-01"),
			  .service = SPAN_LITERAL("checkout"),
			  .path = SPAN_LITERAL("/var/log/a.log"),
			  .start = s->start,
			  .from = s->offset,
			  .to = s->offset + bytes,
			  .base = s->offset + bytes,
			  .crc_from = s->crc,
			  .loss = span_of(cause)};
	struct buf body = BUF_EMPTY;
	struct make_answer answer;
	make_raw_chunk(&body, &c, (struct span){0});
	make_submit(store, "web-01", session, buf_span(&body), &answer);
	make_wait(&answer);
	ck_assert_int_eq((int)answer.verdicts[0].status, CHUNK_COMMITTED);
	make_answer_free(&answer);
	buf_free(&body);
	s->offset = s->base = c.to;
	s->crc = 0;
}

START_TEST(losses)
{
	struct account_stream row;
	send(&a, 10);
	uint64_t from = a.offset;
	lose(&a, 100, "truncated");
	for (int i = 0; i < 2; i++) { /* out of the log, then out of the ledger */
		struct account *account = open_account();
		ck_assert(find(account, &a, &row));
		ck_assert_uint_eq(row.n_losses, 1);
		ck_assert_uint_eq(row.losses[0].from, from);
		ck_assert_uint_eq(row.losses[0].to, from + 100);
		ck_assert_str_eq(row.losses[0].cause, "truncated");
		ck_assert_int_gt(row.losses[0].time_us, 0);
		ck_assert_uint_eq(row.base, from + 100);
		account_close(account);
		store_close(store);
		store = i ? NULL : make_store(dir, NULL);
	}
}
END_TEST

/* The ledger gets a gap, as recovery would have left it. */
static void make_gap(const struct make_source *before, const struct make_source *after)
{
	char text[512], path[128];
	(void)snprintf(path, sizeof(path), "%s/.haul/ledger.db", dir);
	(void)snprintf(text, sizeof(text),
		       "INSERT INTO gap SELECT id, %llu, %llu, 0, %lld, %lld, 0 FROM stream",
		       (unsigned long long)before->offset, (unsigned long long)after->offset,
		       (long long)before->crc, (long long)after->crc);
	sqlite3 *db = ledger_open_by_hand(path);
	ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "UPDATE meta SET value = value + 1 WHERE key = 'lsn'",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	ledger_add_sums(db);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static size_t gaps_of(const struct make_source *s, uint64_t *ret_from)
{
	struct account *account = open_account();
	struct account_stream row;
	ck_assert(find(account, s, &row));
	size_t n = row.n_gaps;
	if (n)
		*ret_from = row.gaps[0].from;
	account_close(account);
	return n;
}

/* The agent fills the range of the n lines behind `at`. */
static void repair(struct make_source *at, size_t n)
{
	struct buf sent = BUF_EMPTY, body = BUF_EMPTY, scratch = BUF_EMPTY;
	struct chunk c;
	const char *why;
	make_chunk(&sent, at, "web-01", n);
	size_t head = span_find(buf_span(&sent), '\n');
	ck_assert_int_eq(chunk_decode(span_first(buf_span(&sent), head), &scratch, &c, &why), 0);
	c.repair = true;
	make_raw_chunk(&body, &c, span_from(buf_span(&sent), head + 1));
	struct make_answer answer;
	make_submit(store, "web-01", session, buf_span(&body), &answer);
	make_wait(&answer);
	ck_assert_int_eq((int)answer.verdicts[0].status, CHUNK_COMMITTED);
	make_answer_free(&answer);
	buf_free(&sent);
	buf_free(&body);
	buf_free(&scratch);
}

START_TEST(gaps_until_they_are_repaired)
{
	uint64_t from = 0;
	send(&a, 10);
	struct make_source before = a;
	send(&a, 10);
	struct make_source after = a;
	send(&a, 10);
	store_close(store);
	make_gap(&before, &after);
	store = make_store(dir, NULL);
	session = make_session(store, "web-01", "m1", NULL);
	ck_assert_int_eq(store_checkpoint(store), 0);
	ck_assert_uint_eq(gaps_of(&a, &from), 1);
	ck_assert_uint_eq(from, before.offset);
	repair(&before, 4);
	ck_assert_uint_eq(gaps_of(&a, &from), 1);
	ck_assert_uint_eq(from, before.offset);
	repair(&before, 6);
	ck_assert_uint_eq(before.offset, after.offset);
	ck_assert_uint_eq(gaps_of(&a, &from), 0);
	store_close(store);
	store = NULL;
	ck_assert_uint_eq(gaps_of(&a, &from), 0);
}
END_TEST

/* A byte near the end of the log's last record. */
static void damage_log(uint64_t from_end)
{
	char path[128], name[WAL_NAME_LEN + 1], c;
	struct wal_log log;
	(void)snprintf(path, sizeof(path), "%s/.haul/wal", dir);
	int wal = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(wal_scan(wal, 0, &log), 0);
	ck_assert_uint_gt(log.n_entries, 0);
	const struct wal_entry *last = &log.entries[log.n_entries - 1];
	off_t at = (off_t)(last->at + wal_record_size(&last->head) - from_end);
	wal_format_name(name, WAL_RECORDS, log.files[last->file].sequence);
	int fd = openat(wal, name, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, &c, 1, at), 1);
	c = (char)~c;
	ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
	wal_log_free(&log);
	file_close(&fd);
	file_close(&wal);
}

START_TEST(a_record_that_is_not_whole_does_not_count)
{
	ck_assert_int_eq(store_checkpoint(store), 0);
	send(&a, 10);
	struct make_source first = a;
	send(&a, 10);
	damage_log(20); /* in the body of the last record, which nothing says was durable */
	expect(&first, false);
	send(&a, 10); /* this one says so */
	expect(&first, true);
}
END_TEST

START_TEST(segments)
{
	struct account_segment row;
	send(&a, 10);
	ck_assert_int_eq(store_checkpoint(store), 0);
	send(&b, 1);
	store_close(store);
	store = make_store(dir, NULL);
	session = make_session(store, "web-01", "m1", NULL);
	struct account *account = open_account();
	ck_assert_uint_eq(account_count_segments(account), 1);
	ck_assert_int_eq(account_next_segment(account, &row), 1);
	ck_assert_int_eq((int)row.state, ACCOUNT_LIVE);
	ck_assert_uint_eq(row.number, 1);
	ck_assert_uint_eq(row.lines, 11);
	ck_assert(row.crc_known);
	int32_t day = row.day;
	ck_assert_int_eq(account_next_segment(account, &row), 0);
	const struct span service = SPAN_LITERAL("checkout"), host = SPAN_LITERAL("web-01");
	ck_assert_int_eq(account_find_segment(account, day, service, host, 1, &row), 1);
	ck_assert_int_eq(account_find_segment(account, day, service, host, 0, &row), 1);
	ck_assert_int_eq(account_find_segment(account, day, service, host, 2, &row), 0);
	ck_assert_int_eq(account_find_segment(account, day, host, host, 0, &row), 0);
	account_close(account);
	/* One that only the log knows. */
	struct make_source c;
	make_source(&c, "cart", "c");
	send(&c, 1);
	account = open_account();
	const struct span cart = SPAN_LITERAL("cart");
	ck_assert_int_eq(account_find_segment(account, day, cart, host, 0, &row), 2);
	ck_assert_int_eq(account_find_segment(account, day, cart, host, 1, &row), 2);
	ck_assert_int_eq(account_find_segment(account, day, cart, host, 2, &row), 0);
	account_close(account);
}
END_TEST

START_TEST(nothing_to_read)
{
	struct account *account;
	const char *what;
	char command[128];
	account_close(open_account()); /* there is no copy yet */
	send(&a, 10);
	store_close(store);
	store = NULL;
	(void)snprintf(command, sizeof(command), "rm %s/.haul/ledger-export.db", dir);
	ck_assert_int_eq(system(command), 0);
	expect(&a, false); /* by its other name */
	(void)snprintf(command, sizeof(command), "rm %s/.haul/wal/snapshot.db", dir);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(account_open(dir, &account, &what), -ENOENT);
	(void)snprintf(command, sizeof(command), "echo nonsense > %s/.haul/ledger-export.db", dir);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(account_open(dir, &account, &what), -EBADMSG);
	ck_assert_int_eq(account_open("/nowhere", &account, &what), -ENOENT);
	ck_assert_int_eq(account_open("/tmp", &account, &what), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("account");
	TCase *tc = tcase_create("account");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, it_is_as_of_the_last_answer);
	tcase_add_test(tc, losses);
	tcase_add_test(tc, gaps_until_they_are_repaired);
	tcase_add_test(tc, a_record_that_is_not_whole_does_not_count);
	tcase_add_test(tc, segments);
	tcase_add_test(tc, nothing_to_read);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
