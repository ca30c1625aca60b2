/* Container lines through the pump, on real files: pieces, outputs, restarts, rewinds,
 * rotations. */
#include "agent/lines/envelope.h"

#include "agent/files/identity.h"
#include "agent/lines/classify.h"
#include "agent/lines/filter.h"
#include "agent/ship/pump.h"
#include "common/clock.h"
#include "common/gzip.h"
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA = 8 * 1024 * 1024, FILES_MAX = 4, MAX_LINE = 1024 * 1024 };

#define T "2026-11-22T05:40:00.123456789Z"

struct file {
	char path[96];
	struct source *source;
	struct stream_id id;
	uint64_t ino;
	int64_t btime_ns;
	bool born, closing;
	uint64_t committed, crc, base; /* what a collector remembers */
	struct buf state;
};

static char dir[32];
static struct source_table *table;
static struct pump *pump;
static struct batcher batch;
static struct input input;
static struct file files[FILES_MAX];
static size_t n_files;
static struct buf archive; /* what a collector has: service, flags and message of each line */
static int64_t now_ns;
static uint64_t reads_of_body;

static int64_t fake_mono(void)
{
	return now_ns;
}

static void start(void)
{
	table = source_table_new();
	ck_assert_ptr_nonnull(table);
	ck_assert_int_eq(pump_new(table, "web-01", &pump), 0);
	ck_assert_int_eq(batcher_init(&batch, ARENA), 0);
}

static void stop(void)
{
	batcher_free(&batch);
	pump_free(pump);
	source_table_free(table);
}

static void set_up(void)
{
	const char *why;
	char text[128];
	struct conf_list none = {NULL, 0};
	strcpy(dir, "/tmp/test_envelope.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	input = (struct input){.name = "test",
			       .type = INPUT_CRI,
			       .service = "",
			       .rotated_dir = "",
			       .max_line = MAX_LINE};
	ck_assert_int_eq(stamp_new("auto", "UTC", &input.stamp, &why), 0);
	ck_assert_int_eq(classifier_new("auto", &input.classifier, text, sizeof(text)), 0);
	ck_assert_int_eq(filter_new(&none, &none, &none, &input.filter, text, sizeof(text)), 0);
	now_ns = 1000 * NUM_SEC_NS;
	clock_replace(fake_mono, NULL);
	n_files = 0;
	buf_clear(&archive);
	start();
}

static void tear_down(void)
{
	stop();
	stamp_free(input.stamp);
	classifier_free(input.classifier);
	filter_free(input.filter);
	for (size_t i = 0; i < n_files; i++) {
		(void)unlink(files[i].path);
		buf_free(&files[i].state);
	}
	(void)rmdir(dir);
	clock_replace(NULL, NULL);
}

static void append(struct file *f, const char *bytes, size_t len)
{
	int fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void append_text(struct file *f, const char *text)
{
	append(f, text, strlen(text));
}

static void add_source(struct file *f)
{
	char service[8];
	(void)snprintf(service, sizeof(service), "s%zu", (size_t)(f - files));
	struct source_config c = {.id = f->id,
				  .path = f->path,
				  .service = service,
				  .instance = "",
				  .ino = f->ino,
				  .btime_ns = f->btime_ns,
				  .input = &input};
	ck_assert_int_eq(source_add(table, &c, &f->source), 0);
	f->source->closing = f->closing;
	if (f->born) {
		struct position at;
		position_init(&at, 0);
		at.offset = f->committed;
		at.crc = f->crc;
		at.base = f->base;
		ck_assert_int_eq(frame_state_decode(buf_span(&f->state), &at.frame), 0);
		source_place(table, f->source, &at);
	}
	source_move(table, f->source, SOURCE_FOLLOWING);
}

static struct file *add_file(const char *name)
{
	struct file *f = &files[n_files++];
	struct identity id;
	*f = (struct file){.closing = false};
	(void)snprintf(f->path, sizeof(f->path), "%s/%s", dir, name);
	append_text(f, "");
	ck_assert_int_eq(identity_of_path(f->path, false, &id), 0);
	f->ino = id.ino;
	f->btime_ns = id.btime_ns;
	ck_assert_int_eq(stream_id_random(&f->id), 0);
	add_source(f);
	return f;
}

static void rename_file(struct file *f, const char *name)
{
	char path[96];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(rename(f->path, path), 0);
	memcpy(f->path, path, sizeof(path));
	ck_assert_int_eq(source_set_path(table, f->source, path), 0);
}

static struct file *file_of(const struct source *s)
{
	for (size_t i = 0; i < n_files; i++)
		if (files[i].source == s)
			return &files[i];
	ck_abort();
}

static void take_payload(struct span service, struct span in)
{
	struct payload_line line;
	const char *why;
	while (line_next_payload(&in, &line, &why) == 0) {
		ck_assert_int_eq(buf_add_span(&archive, service), 0);
		ck_assert_int_eq(buf_add_char(&archive, ' '), 0);
		ck_assert_int_eq(buf_add_span(&archive, line.flags_to_end), 0);
	}
	ck_assert_uint_eq(in.len, 0);
}

/* The collector's part: the lines of the batch go into the archive, its positions are committed. */
static void commit(void)
{
	struct buf body = BUF_EMPTY, scratch = BUF_EMPTY;
	const char *why = "";
	ck_assert_int_eq(batcher_finish(&batch), 0);
	struct gzip_limits limits = {.inflated_max = 64 * 1024 * 1024};
	ck_assert_int_eq(gzip_inflate(buf_span(&batch.body), limits, &body), 0);
	struct span in = buf_span(&body);
	for (size_t i = 0; i < batch.n_chunks; i++) {
		struct chunk c;
		struct file *f = file_of(batch.chunks[i].source);
		size_t n = span_find(in, '\n');
		buf_clear(&scratch);
		int r = chunk_decode(span_first(in, n), &scratch, &c, &why);
		ck_assert_msg(r == 0, "%s", why);
		ck_assert_uint_eq(c.from, f->committed);
		take_payload(c.service, span_make(in.ptr + n + 1, c.bytes));
		in = span_from(in, n + 1 + c.bytes);
		f->committed = c.to;
		f->crc = c.crc;
		f->base = c.base;
		f->born = true;
		buf_clear(&f->state);
		ck_assert_int_eq(buf_add_span(&f->state, c.state), 0);
		source_commit(table, f->source, &batch.chunks[i].to);
	}
	ck_assert_uint_eq(in.len, 0);
	reads_of_body++;
	batcher_reset(&batch);
	buf_free(&body);
	buf_free(&scratch);
}

static void give_turns(void)
{
	while (pump_turn(pump, &batch))
		;
}

static void fill(void)
{
	for (size_t i = 0; i < n_files; i++)
		source_set_ready(table, files[i].source);
	give_turns();
}

static void ship(void)
{
	fill();
	commit();
}

/* All of the batch comes to nothing: the cursors go back. */
static void rewind_all(void)
{
	for (size_t i = 0; i < n_files; i++) {
		int r = source_rewind(table, files[i].source, (struct span){NULL, 0});
		ck_assert_int_eq(r, 0);
	}
	batcher_reset(&batch);
}

/* The agent is killed and comes back. */
static void restart(void)
{
	stop();
	start();
	for (size_t i = 0; i < n_files; i++)
		add_source(&files[i]);
}

static void expect(const char *want)
{
	const char *got = buf_cstr(&archive);
	ck_assert_str_eq(got ? got : "", want);
}

#define OUT_P(text) T " stdout P " text "\n"
#define OUT_F(text) T " stdout F " text "\n"
#define ERR_P(text) T " stderr P " text "\n"
#define ERR_F(text) T " stderr F " text "\n"

START_TEST(outputs_are_put_together_apart)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("1") ERR_F("2") OUT_P("3") OUT_F("4"));
	ship();
	expect("s0 Fe 2\ns0 F 134\n");
	ck_assert_uint_eq(f->source->cursor.offset, f->source->size);
}
END_TEST

START_TEST(an_open_line_holds_nothing_up)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("1") ERR_F("2"));
	ship();
	expect("s0 Fe 2\n");
	ck_assert_uint_eq(f->source->cursor.offset + 1, f->source->size);
	fill();
	ck_assert(batcher_empty(&batch));
	append_text(f, ERR_F("5") OUT_P("3") OUT_F("4"));
	ship();
	expect("s0 Fe 2\ns0 Fe 5\ns0 F 134\n");
}
END_TEST

START_TEST(a_restart_goes_on)
{
	struct file *f = add_file("0.log");
	const char *const steps[] = {OUT_P("1"), ERR_P("a"), ERR_F("b"), ERR_P("c"),
				     OUT_P("2"), OUT_F("3"), ERR_F("d")};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		append_text(f, steps[i]);
		ship();
		restart();
	}
	expect("s0 Fe ab\ns0 F 123\ns0 Fe cd\n");
}
END_TEST

START_TEST(a_rewind_goes_on)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("1") ERR_P("a"));
	ship();
	append_text(f, OUT_P("2") OUT_F("3") ERR_P("b") OUT_P("x"));
	fill();
	rewind_all();
	append_text(f, ERR_F("c") OUT_F("y"));
	fill();
	rewind_all();
	ship();
	expect("s0 F 123\ns0 Fe abc\ns0 F xy\n");
}
END_TEST

START_TEST(the_runtimes_time_is_used_when_there_is_no_other)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_F("no time") OUT_F("2026-01-02T03:04:05Z a time") OUT_F("  at Foo")
			       ERR_F("no time") ERR_F("  indented"));
	ship();
	expect("s0 F no time\ns0 F 2026-01-02T03:04:05Z a time\ns0 +   at Foo\n"
	       "s0 Fe no time\ns0 Fe   indented\n");
}
END_TEST

START_TEST(a_strange_line_goes_as_it_stands)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("1") "what is this\n\n" OUT_F("2"));
	ship();
	expect("s0 Fr what is this\ns0 Fr \ns0 F 12\n");
}
END_TEST

START_TEST(an_old_open_line_goes_as_a_piece_once)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("abc") ERR_F("x"));
	ship();
	now_ns += ENVELOPE_AGE_NS - 1;
	fill();
	ck_assert(batcher_empty(&batch));
	ck_assert(pump_next_ns(pump) < INT64_MAX);
	now_ns++;
	give_turns(); /* by itself, without an event */
	rewind_all();
	fill(); /* reads the piece again */
	now_ns += ENVELOPE_AGE_NS;
	ship();
	expect("s0 Fe x\ns0 P abc\n");
	ck_assert_uint_eq(f->source->cursor.offset, f->source->size);
	ck_assert(pump_next_ns(pump) == INT64_MAX);
	append_text(f, OUT_F("next"));
	restart();
	ship();
	expect("s0 Fe x\ns0 P abc\ns0 F next\n");
}
END_TEST

START_TEST(an_open_line_goes_with_its_file)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("abc"));
	ship();
	f->closing = f->source->closing = true;
	ship();
	expect("s0 P abc\n");
	ck_assert_uint_eq(f->source->cursor.offset, f->source->size);
}
END_TEST

START_TEST(a_line_is_not_held_without_end)
{
	struct file *f = add_file("0.log");
	struct buf text = BUF_EMPTY;
	size_t want = 0;
	while (want < 3 * (size_t)ENVELOPE_LINE_MAX) {
		ck_assert_int_eq(buf_add_str(&text, T " stdout P "), 0);
		for (size_t i = 0; i < 16384; i++)
			ck_assert_int_eq(buf_add_char(&text, 'x'), 0);
		ck_assert_int_eq(buf_add_char(&text, '\n'), 0);
		want += 16384;
	}
	ck_assert_int_eq(buf_add_str(&text, OUT_F("y") OUT_F("after")), 0);
	append(f, text.ptr, text.len);
	batch.payload_max = ARENA;
	for (int i = 0; i < 20; i++) {
		ship();
		restart();
	}
	size_t x = 0, y = 0;
	for (size_t i = 0; i < archive.len; i++) {
		x += archive.ptr[i] == 'x';
		y += archive.ptr[i] == 'y';
	}
	ck_assert_uint_eq(x, want);
	ck_assert_uint_eq(y, 1);
	ck_assert(span_ends_with(buf_span(&archive), SPAN_LITERAL("y\ns0 F after\n")));
	buf_free(&text);
}
END_TEST

/* The end of a line in the next file: whatever happens between. */
START_TEST(a_line_goes_on_in_the_next_file)
{
	for (int when = 0; when < 32; when++) {
		if (when) {
			tear_down();
			set_up();
		}
		struct file *f = add_file("0.log");
		append_text(f, OUT_F("0") OUT_P("1") ERR_F("e"));
		if (when & 1)
			ship();
		rename_file(f, "0.log.20261122-054000");
		if (when & 2)
			restart();
		struct file *g = add_file("0.log");
		append_text(g, ERR_F("f") OUT_P("2"));
		if (when & 4)
			ship();
		if (when & 8)
			restart();
		append_text(g, OUT_F("3") OUT_F("4"));
		if (when & 16) {
			fill();
			rewind_all();
		}
		ship();
		ship();
		/* The first file's part of it is at rest. */
		f->closing = f->source->closing = true;
		now_ns += 2 * ENVELOPE_AGE_NS;
		ship();
		ship();
		expect("s0 F 0\ns0 Fe e\ns1 Fe f\ns1 F 123\ns1 F 4\n");
		ck_assert_uint_eq(f->source->cursor.offset, f->source->size);
		ck_assert(!envelope_open(&f->source->cursor.frame));
	}
}
END_TEST

START_TEST(a_line_goes_on_over_three_files)
{
	struct file *f = add_file("0.log"), *g, *h;
	append_text(f, OUT_P("1"));
	ship();
	rename_file(f, "0.log.20261122-054000");
	g = add_file("0.log");
	append_text(g, OUT_P("2"));
	ship();
	rename_file(g, "0.log.20261122-055000");
	h = add_file("0.log");
	append_text(h, OUT_F("3"));
	restart();
	for (int i = 0; i < 4; i++) {
		f->closing = f->source->closing = g->closing = g->source->closing = true;
		now_ns += 2 * ENVELOPE_AGE_NS;
		ship();
	}
	expect("s2 F 123\n");
}
END_TEST

START_TEST(a_next_file_that_has_nothing_to_say_is_not_waited_for)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("1"));
	ship();
	rename_file(f, "0.log.20261122-054000");
	(void)add_file("0.log");
	f->closing = f->source->closing = true;
	ship();
	expect("");
	now_ns += 10 * ENVELOPE_AGE_NS;
	ship();
	expect("s0 P 1\n");
	append_text(&files[1], OUT_F("2"));
	ship();
	expect("s0 P 1\ns1 F 2\n");
}
END_TEST

START_TEST(other_containers_have_other_lines)
{
	struct file *f = add_file("0.log"), *g;
	append_text(f, OUT_P("1"));
	ship();
	g = add_file("1.log"); /* the container was started again */
	append_text(g, OUT_F("2"));
	f->closing = f->source->closing = true;
	ship();
	expect("s0 P 1\ns1 F 2\n");
}
END_TEST

START_TEST(pieces_that_are_gone_are_said_and_the_line_goes_on)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("1"));
	ship();
	append_text(f, OUT_F("2") OUT_F("3"));
	/* The state says that they begin where nothing is. */
	f->state.len = 0;
	ck_assert_int_eq(buf_add_str(&f->state, "1 k o9999"), 0);
	restart();
	ship();
	expect("s0 F 2\ns0 F 3\n");
}
END_TEST

START_TEST(a_cut_file_gives_what_was_read)
{
	struct file *f = add_file("0.log");
	append_text(f, OUT_P("abc"));
	ship();
	f->source->cut = true;
	f->source->lost_from = f->source->cursor.offset;
	f->source->lost_to = f->source->lost_from + 1;
	f->source->lost_cause = "truncated";
	ship();
	expect("s0 P abc\n");
	ck_assert_uint_eq(f->source->lost_from, f->source->lost_to);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("envelope");
	TCase *t = tcase_create("envelope");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, outputs_are_put_together_apart);
	tcase_add_test(t, an_open_line_holds_nothing_up);
	tcase_add_test(t, a_restart_goes_on);
	tcase_add_test(t, a_rewind_goes_on);
	tcase_add_test(t, the_runtimes_time_is_used_when_there_is_no_other);
	tcase_add_test(t, a_strange_line_goes_as_it_stands);
	tcase_add_test(t, an_old_open_line_goes_as_a_piece_once);
	tcase_add_test(t, an_open_line_goes_with_its_file);
	tcase_add_test(t, a_line_is_not_held_without_end);
	tcase_add_test(t, a_line_goes_on_in_the_next_file);
	tcase_add_test(t, a_line_goes_on_over_three_files);
	tcase_add_test(t, a_next_file_that_has_nothing_to_say_is_not_waited_for);
	tcase_add_test(t, other_containers_have_other_lines);
	tcase_add_test(t, pieces_that_are_gone_are_said_and_the_line_goes_on);
	tcase_add_test(t, a_cut_file_gives_what_was_read);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	buf_free(&archive);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
