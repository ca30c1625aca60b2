/* The pump on real files: what a file's bytes become in a batch. */
#include "agent/files/identity.h"
#include "agent/lines/classify.h"
#include "agent/lines/filter.h"
#include "agent/ship/pump.h"
#include "common/crc64.h"
#include "common/gzip.h"
#include "common/line.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA = 512 * 1024 };

static char dir[] = "/tmp/test_pump.XXXXXX";
static char path[64];
static struct source_table *table;
static struct pump *pump;
static struct batcher batch;
static struct input input;
static struct source *source;

static void append(const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void append_text(const char *text)
{
	append(text, strlen(text));
}

static void make_input(const char *keep, const char *mask, uint64_t max_line)
{
	const char *why;
	char text[128];
	char *k[] = {(char *)keep}, *m[] = {(char *)mask};
	struct conf_list keeps = {k, keep != NULL}, none = {NULL, 0}, masks = {m, mask != NULL};
	input = (struct input){
		.name = "test", .service = "", .rotated_dir = "", .max_line = max_line};
	ck_assert_int_eq(stamp_new("auto", "UTC", &input.stamp, &why), 0);
	ck_assert_int_eq(classifier_new("auto", &input.classifier, text, sizeof(text)), 0);
	ck_assert_int_eq(filter_new(&keeps, &none, &masks, &input.filter, text, sizeof(text)), 0);
}

static void set_up(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/app.log", dir);
	append_text("");
	table = source_table_new();
	ck_assert_int_eq(pump_new(table, "web-01", &pump), 0);
	ck_assert_int_eq(batcher_init(&batch, ARENA), 0);
	make_input(NULL, NULL, 1024 * 1024);
	struct identity id;
	int fd;
	ck_assert_int_eq(identity_open(path, &id, &fd), 0);
	close(fd);
	struct source_config c = {.path = path,
				  .service = "shop",
				  .instance = "",
				  .ino = id.ino,
				  .btime_ns = id.btime_ns,
				  .dev = id.dev,
				  .input = &input};
	ck_assert_int_eq(stream_id_random(&c.id), 0);
	ck_assert_int_eq(source_add(table, &c, &source), 0);
	source_move(table, source, SOURCE_FOLLOWING);
}

static void tear_down(void)
{
	batcher_free(&batch);
	pump_free(pump);
	source_table_free(table);
	stamp_free(input.stamp);
	classifier_free(input.classifier);
	filter_free(input.filter);
	unlink(path);
	rmdir(dir);
}

static void give_turns(void)
{
	while (pump_turn(pump, &batch))
		;
}

static void fill(void)
{
	source_set_ready(table, source);
	give_turns();
}

/* The body of the batch: all payload of all chunks, one after another; the last chunk's header. */
static struct buf payload;
static struct chunk last;
static struct buf scratch, body;

static void open_body(void)
{
	buf_clear(&body);
	const char *why = "";
	ck_assert_int_eq(batcher_finish(&batch), 0);
	ck_assert_int_eq(gzip_inflate(buf_span(&batch.body),
				      (struct gzip_limits){.inflated_max = 64 * 1024 * 1024},
				      &body),
			 0);
	buf_clear(&payload);
	uint64_t at = UINT64_MAX;
	for (struct span in = buf_span(&body); in.len;) {
		size_t n = span_find(in, '\n');
		buf_clear(&scratch);
		int r = chunk_decode(span_first(in, n), &scratch, &last, &why);
		ck_assert_msg(r == 0, "%s", why);
		in = span_from(in, n + 1);
		ck_assert_int_eq(buf_add(&payload, in.ptr, last.bytes), 0);
		in = span_from(in, last.bytes);
		if (at != UINT64_MAX)
			ck_assert_uint_eq(last.from, at);
		at = last.to;
	}
}

/* The payload as text: flags, blank, message of each line, without the time. */
static const char *lines(void)
{
	static struct buf out;
	struct span in = buf_span(&payload);
	struct payload_line line;
	const char *why;
	buf_clear(&out);
	while (line_next_payload(&in, &line, &why) == 0)
		ck_assert_int_eq(buf_add_span(&out, line.flags_to_end), 0);
	ck_assert_uint_eq(in.len, 0);
	const char *text = buf_cstr(&out);
	return text;
}

START_TEST(whole_lines_go_and_an_unfinished_one_waits)
{
	append_text("2026-11-22T05:40:00.5Z one\n  two\nthr");
	fill();
	open_body();
	ck_assert_str_eq(lines(), "F 2026-11-22T05:40:00.5Z one\n+   two\n");
	ck_assert(span_starts_with(buf_span(&payload),
				   SPAN_LITERAL("2026-11-22T05:40:00.500000ZF ")));
	ck_assert_uint_eq(last.from, 0);
	ck_assert_uint_eq(last.to, 33);
	ck_assert_uint_eq(last.crc,
			  crc64_add(CRC64_EMPTY, "2026-11-22T05:40:00.5Z one\n  two\n", 33));
	ck_assert_uint_eq(last.lines, 2);
	ck_assert(span_is(last.service, "shop") && span_is(last.host, "web-01"));

	batcher_reset(&batch);
	append_text("ee\n");
	fill();
	open_body();
	ck_assert_str_eq(lines(), "+ three\n");
	ck_assert_uint_eq(last.from, 33);
	ck_assert_uint_eq(last.to, 39);
}
END_TEST

START_TEST(lines_without_a_time_carry_that_of_reading)
{
	append_text("hello\n");
	fill();
	open_body();
	ck_assert_str_eq(lines(), "Fr hello\n");
}
END_TEST

START_TEST(unclean_lines_are_escaped)
{
	append("a\0b\\\n", 5);
	fill();
	open_body();
	ck_assert_str_eq(lines(), "Frx a\\x00b\\\\\n");
}
END_TEST

START_TEST(long_lines_are_cut_and_filters_see_them_whole)
{
	stamp_free(input.stamp);
	classifier_free(input.classifier);
	filter_free(input.filter);
	make_input("tail$", "sec(ret) tail", 64);
	char text[201];
	memset(text, 'x', 200);
	memcpy(text + 189, "secret tail\n", 12);
	append(text, 201);
	append_text("dropped\n");
	fill();
	open_body();
	const char *got = lines();
	/* Pieces of 64 bytes; "secret" would have lain over a border. */
	ck_assert(strncmp(got, "Pr xxx", 6) == 0);
	ck_assert_ptr_nonnull(strstr(got, "Fr "));
	ck_assert_ptr_nonnull(strstr(got, "*** tail"));
	ck_assert_ptr_null(strstr(got, "secret"));
	ck_assert_uint_eq(last.lines, 4);
	ck_assert_uint_eq(last.dropped, 1);
	ck_assert_uint_eq(last.to, 209);
}
END_TEST

START_TEST(each_input_counts)
{
	filter_free(input.filter);
	stamp_free(input.stamp);
	classifier_free(input.classifier);
	make_input("kept", "secret", 1024 * 1024);
	append_text("kept secret, secret\nanother\nkept\n");
	fill();
	open_body();
	ck_assert_str_eq(lines(), "Fr kept ***, ***\nFr kept\n");
	ck_assert_uint_eq(input.lines_total, 2);
	ck_assert_uint_eq(input.dropped_total, 1);
	ck_assert_uint_eq(input.masked_total, 2);
	ck_assert_uint_eq(input.bytes_total, 33);
}
END_TEST

START_TEST(a_line_longer_than_the_arena_goes_out_in_portions)
{
	size_t len = 3 * ARENA;
	char *text = malloc(len);
	memset(text, 'y', len);
	append_text("before\n");
	append(text, len);
	append_text("!\nafter\n");
	size_t seen = 0;
	char kinds[64] = "";
	for (int i = 0; i < 40 && seen < len + 1; i++) {
		batcher_reset(&batch);
		batch.payload_max = ARENA;
		fill();
		if (batcher_empty(&batch))
			break;
		open_body();
		struct span in = buf_span(&payload);
		struct payload_line line;
		const char *why;
		while (line_next_payload(&in, &line, &why) == 0) {
			if (span_is(line.message, "before") || span_is(line.message, "after"))
				continue;
			seen += line.message.len;
			char kind[2] = {(char)line.flags.kind, '\0'};
			strncat(kinds, kind, sizeof(kinds) - strlen(kinds) - 1);
		}
	}
	ck_assert_uint_eq(seen, len + 1);
	/* Pieces, and at last the end of the line, which says what it is. */
	ck_assert_uint_ge(strlen(kinds), 3);
	ck_assert_uint_eq(strspn(kinds, "P"), strlen(kinds) - 1);
	ck_assert_int_eq(kinds[strlen(kinds) - 1], 'F');
	ck_assert_uint_eq(source->cursor.offset, 7 + len + 2 + 6);
	free(text);
}
END_TEST

/* What is to be hidden may stand where two portions part, so nothing of such a line is shown. */
START_TEST(a_line_in_portions_is_hidden_where_there_is_a_mask)
{
	size_t len = 2 * ARENA;
	char *text = malloc(len);
	memset(text, 'y', len);
	stamp_free(input.stamp);
	classifier_free(input.classifier);
	make_input(NULL, "secret", 1024 * 1024);
	append(text, len);
	append_text("!\nafter\n");
	bool after = false;
	for (int i = 0; i < 40 && !after; i++) {
		batcher_reset(&batch);
		batch.payload_max = ARENA;
		fill();
		ck_assert(!batcher_empty(&batch));
		open_body();
		struct span in = buf_span(&payload);
		struct payload_line line;
		const char *why;
		while (line_next_payload(&in, &line, &why) == 0) {
			after = span_is(line.message, "after");
			ck_assert(after || span_is(line.message, "***"));
		}
	}
	ck_assert(after);
	free(text);
}
END_TEST

START_TEST(a_loss_moves_the_offset_and_sets_the_base_anew)
{
	append_text("one\n");
	fill();
	source->lost_from = 4;
	source->lost_to = 100;
	source->lost_cause = "truncated";
	source_set_ready(table, source);
	give_turns();
	open_body();
	ck_assert_uint_eq(last.from, 4);
	ck_assert_uint_eq(last.to, 100);
	ck_assert_uint_eq(last.base, 100);
	ck_assert_uint_eq(last.crc, CRC64_EMPTY);
	ck_assert_uint_eq(last.crc_from, crc64_add(CRC64_EMPTY, "one\n", 4));
	ck_assert(span_is(last.loss, "truncated"));
	ck_assert_uint_eq(source->cursor.offset, 100);
	ck_assert_uint_eq(source->lost_from, source->lost_to);
}
END_TEST

START_TEST(a_limit_is_kept_but_one_line_always_goes)
{
	append_text("first line\nsecond line\nthird line\n");
	source->limit_bytes = 1;
	fill();
	ck_assert_uint_eq(batch.chunks[0].to.offset, 11);
	source->limit_bytes = 0;
}
END_TEST

START_TEST(a_full_batch_takes_no_more)
{
	append_text("aaaa\nbbbb\ncccc\n");
	batch.payload_max = 1;
	fill();
	ck_assert_uint_eq(batch.n_chunks, 1);
	ck_assert_uint_eq(batch.chunks[0].to.offset, 5);
	ck_assert(batcher_full(&batch));
	/* What is left goes with the next one. */
	batcher_reset(&batch);
	batch.payload_max = ARENA;
	give_turns();
	open_body();
	ck_assert_str_eq(lines(), "Fr bbbb\nFr cccc\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pump");
	TCase *t = tcase_create("pump");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, whole_lines_go_and_an_unfinished_one_waits);
	tcase_add_test(t, lines_without_a_time_carry_that_of_reading);
	tcase_add_test(t, unclean_lines_are_escaped);
	tcase_add_test(t, long_lines_are_cut_and_filters_see_them_whole);
	tcase_add_test(t, each_input_counts);
	tcase_add_test(t, a_line_longer_than_the_arena_goes_out_in_portions);
	tcase_add_test(t, a_line_in_portions_is_hidden_where_there_is_a_mask);
	tcase_add_test(t, a_loss_moves_the_offset_and_sets_the_base_anew);
	tcase_add_test(t, a_limit_is_kept_but_one_line_always_goes);
	tcase_add_test(t, a_full_batch_takes_no_more);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	buf_free(&payload);
	buf_free(&scratch);
	buf_free(&body);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
