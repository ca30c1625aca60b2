/* What the configuration changes while the agent runs, and how it explains what it follows. */
#include "tests/lib/one_host.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(reload)
{
	host_input(&h, "logs", "*.log", "");
	host_write(&h, "a.log", "a1\n");
	host_write(&h, "b.txt", "b1\n");
	host_start(&h);
	host_run(&h);
	LINES("a1");
	struct input inputs[2] = {h.inputs[0], h.inputs[0]};
	char globs[2][100], *items[2] = {globs[0], globs[1]};
	(void)snprintf(globs[0], sizeof(globs[0]), "%s/*.txt", h.dir);
	inputs[0].name = "other";
	inputs[0].paths = (struct conf_list){items, 1};
	struct discover_config c = {.inputs = inputs, .n_inputs = 2, .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
	host_run(&h);
	LINES("a1|b1");
	host_append(&h, "a.log", "a2\n");
	host_run(&h);
	LINES("a1|a2|b1");
	/* Nobody wants *.log now. */
	struct input only[1] = {inputs[0]};
	c = (struct discover_config){.inputs = only, .n_inputs = 1, .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
	memset(inputs, 0x5a, sizeof(inputs));
	host_append(&h, "a.log", "a3\n");
	host_append(&h, "b.txt", "b2\n");
	host_run(&h);
	host_pass(&h, 65);
	LINES("a1|a2|b1|b2");
	ck_assert_int_eq(host_source(&h, "a.log")->state, SOURCE_MISSING);
	/* And again. */
	struct input all[2] = {only[0], h.inputs[0]};
	c = (struct discover_config){.inputs = all, .n_inputs = 2, .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
	host_run(&h);
	LINES("a1|a2|a3|b1|b2");
	ck_assert_uint_eq(h.n_streams, 2);
	host_stop(&h);
}
END_TEST

static void reload_with(const char *name, const char *glob)
{
	static char text[100];
	static char *items[] = {text};
	static struct input input;
	(void)snprintf(text, sizeof(text), "%s/%s", h.dir, glob);
	input = h.inputs[0];
	input.name = name;
	input.paths = (struct conf_list){items, 1};
	struct discover_config c = {.inputs = &input, .n_inputs = 1, .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
}

/* What no input wants any more before the collector's streams are known does not begin when they
 * are. */
START_TEST(reload_before_the_list)
{
	host_input(&h, "logs", "*.log", "");
	host_write(&h, "a.log", "a1\n");
	host_start_unlisted(&h);
	host_run(&h);
	reload_with("other", "*.txt");
	host_run(&h);
	host_list(&h);
	host_run(&h);
	LINES("");
	host_append(&h, "a.log", "a2\n");
	host_pass(&h, 65);
	LINES("");
	reload_with("logs", "*.log");
	host_run(&h);
	LINES("a1|a2");
	host_stop(&h);
}
END_TEST

/* A copy that its input has let go of is a copy when an input wants it again. */
START_TEST(reload_and_a_copy)
{
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	host_numbers(&h, "f.log", "n", 1, 500);
	host_run(&h);
	host_copy(&h, "f.log", "f.log.1");
	host_run(&h);
	reload_with("other", "*.txt");
	host_run(&h);
	reload_with("logs", "*.log");
	host_run(&h);
	host_append(&h, "f.log", "last\n");
	host_pass(&h, 130);
	host_truncate(&h, "f.log", 0);
	host_append(&h, "f.log", "anew\n");
	host_pass(&h, 130);
	host_expect_numbers(&h, "n", 500);
	ck_assert_ptr_nonnull(strstr(host_lines(&h), "anew"));
	host_stop(&h);
}
END_TEST

/* A file that has the bytes of a stream that ended, and more, is let go of while it is compared. */
START_TEST(reload_while_comparing)
{
	host_input(&h, "logs", "*.log", "");
	host_start(&h);
	host_shell(&h, "seq -f 'a line that is long enough %.0f' 1 300000 >f.log; cp f.log keep");
	host_run(&h);
	host_unlink(&h, "f.log");
	host_pass(&h, 130);
	ck_assert_ptr_null(host_source(&h, "f.log"));
	size_t n = h.streams[0].lines.len;
	host_shell(&h, "cat keep >f.log.1; echo more >>f.log.1; touch f.log");
	host_turn(&h);
	ck_assert_uint_gt(host_source(&h, "f.log.1")->searching, 0);
	reload_with("other", "*.txt");
	host_pass(&h, 65);
	ck_assert_uint_eq(h.streams[0].lines.len, n);
	ck_assert_uint_eq(h.n_streams, 1);
	reload_with("logs", "*.log");
	host_pass(&h, 65);
	ck_assert_uint_eq(h.n_streams, 1);
	host_stop(&h);
}
END_TEST

/* The pause between two readings of events is the configuration's. */
START_TEST(cadence)
{
	host_input(&h, "in", "*.log", "");
	host_start(&h);
	int64_t poll_ns = discover_poll_ns(h.discover);
	struct discover_config c = {.inputs = h.inputs,
				    .n_inputs = h.n_inputs,
				    .cadence_ns = DISCOVER_CADENCE_NS / 5,
				    .max_open_files = 1024};
	ck_assert_int_eq(discover_reload(h.discover, &c), 0);
	ck_assert_int_eq(poll_ns - discover_poll_ns(h.discover), DISCOVER_CADENCE_NS / 5 * 4);
	host_stop(&h);
}
END_TEST

static const char *explained(const char *path)
{
	static struct buf out;
	struct discover_config c = {.inputs = h.inputs, .n_inputs = h.n_inputs};
	buf_clear(&out);
	ck_assert_int_eq(discover_explain(&c, path, &out), 0);
	const char *text = buf_cstr(&out);
	ck_assert_msg(out.len && text[out.len - 1] == '\n', "%s", text);
	return text;
}

#define EXPLAINS(name, words)                                                                      \
	ck_assert_msg(strstr(explained(host_path(&h, name)), words) != NULL, "%s",                 \
		      explained(host_path(&h, name)))

START_TEST(explain)
{
	struct buf out = BUF_EMPTY;
	host_input(&h, "logs", "*.log d/*", "no*.log");
	host_input(&h, "more", "*.txt a.*", "");
	host_mkdir(&h, "d/.haul");
	host_write(&h, "a.log", "x\n");
	host_write(&h, "no.log", "x\n");
	host_write(&h, "c.err", "x\n");
	host_write(&h, "d/x", "x\n");
	host_shell(&h, "echo x | gzip >z.log; mkfifo p.log; ln a.log b.txt");
	EXPLAINS("a.log", "is followed by input logs as service haul-test.");
	EXPLAINS("no.log", "excludes no*.log");
	EXPLAINS("c.err", "no input names it");
	EXPLAINS("z.log", "compressed by gzip");
	EXPLAINS("p.log", "a FIFO");
	EXPLAINS("d/x", "archive");
	EXPLAINS("missing.log", "is not there; once it is, input logs follows it");
	EXPLAINS("missing", "no input names it, and it is not there");
	EXPLAINS("b.txt", "the same file is followed as");
	struct discover_config c = {.inputs = h.inputs, .n_inputs = h.n_inputs};
	ck_assert_int_eq(discover_list(&c, &out), 0);
	const char *text = buf_cstr(&out);
	ck_assert_ptr_nonnull(strstr(text, "a.log: service "));
	ck_assert_ptr_nonnull(strstr(text, "input logs, 2 bytes"));
	ck_assert_ptr_nonnull(strstr(text, "z.log: not followed: not text"));
	ck_assert_ptr_nonnull(
		strstr(text, "b.txt: not followed: it is a file that is followed already"));
	ck_assert_ptr_null(strstr(text, "c.err"));
	/* Other names of what is followed, and what only looks like it. */
	host_shell(&h, "ln a.log hard; ln -s a.log soft; ln -s nothing gone.log; echo y >a.log.1; "
		       "mkdir e.log");
	EXPLAINS("hard", "the same file is followed as");
	EXPLAINS("soft", "the same file is followed as");
	EXPLAINS("gone.log", "a link that leads nowhere");
	EXPLAINS("e.log", "a directory");
	EXPLAINS("d/../c.err", "no input names it");
	EXPLAINS("c.err", "input logs looks here, for");
	EXPLAINS("a.err.1", "not there");
	host_shell(&h, "mkdir r; echo z >r/x.log.1");
	host_input(&h, "rotated", "r/*.log", "");
	EXPLAINS("r/x.log.1", "a rotated version of");
	buf_free(&out);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, reload);
	tcase_add_test(tcase, reload_before_the_list);
	tcase_add_test(tcase, reload_and_a_copy);
	tcase_add_test(tcase, reload_while_comparing);
	tcase_add_test(tcase, cadence);
	tcase_add_test(tcase, explain);
}

int main(void)
{
	return one_host_run("watching_conf", NULL, add_tests);
}
