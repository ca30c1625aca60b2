/* The command line; and every option stands in the manual page and in the completions. */
#include "collector/query/options.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEN(a)   (int)(sizeof(a) / sizeof((a)[0]))
#define ARGS_MAX 12

static enum options_result parse(const char *const *args, struct options *o)
{
	char *argv[ARGS_MAX + 2] = {"haul"};
	int argc = 1;
	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)args[argc - 1];
	return options_parse(argc, argv, o);
}

static const struct {
	const char *args[ARGS_MAX];
	enum options_result result;
} LINES[] = {
	{{"grep", "x"}, OPTIONS_RUN},
	{{"--data-dir", "/d", "grep", "x"}, OPTIONS_RUN},
	{{"--data-dir=/d", "grep", "x"}, OPTIONS_RUN},
	{{"grep", "--data-dir", "/d", "x"}, OPTIONS_RUN},
	{{"grep", "-Fiv", "-m1", "x", "-C", "3"}, OPTIONS_RUN},
	{{"grep", "-w", "a=1"}, OPTIONS_RUN},
	{{"grep", "--", "-x"}, OPTIONS_RUN},
	{{"grep", "-o", "raw", "x"}, OPTIONS_RUN},
	{{"trace", "id", "--follow-ids"}, OPTIONS_RUN},
	{{"tail"}, OPTIONS_RUN},
	{{"tail", "-n", "0", "x"}, OPTIONS_RUN},
	{{"count", "--by", "level", "--every", "1m", "-o", "csv"}, OPTIONS_RUN},
	{{"top", "level", "x"}, OPTIONS_RUN},
	{{"patterns", "--new-since", "1h"}, OPTIONS_RUN},
	{{"ls", "--by", "host"}, OPTIONS_RUN},
	{{"--help"}, OPTIONS_DONE},
	{{"--version"}, OPTIONS_DONE},
	{{"grep", "--help"}, OPTIONS_DONE},
	{{"ls", "--version"}, OPTIONS_DONE},
	{{NULL}, OPTIONS_WRONG},
	{{"--data-dir"}, OPTIONS_WRONG},
	{{"frob"}, OPTIONS_WRONG},
	{{"-x", "grep"}, OPTIONS_WRONG},
	{{"grep"}, OPTIONS_WRONG},
	{{"grep", "a", "b"}, OPTIONS_WRONG},
	{{"grep", "-Z", "a"}, OPTIONS_WRONG},
	{{"grep", "--frob", "a"}, OPTIONS_WRONG},
	{{"grep", "a", "-m"}, OPTIONS_WRONG},
	{{"grep", "a", "-m", "0"}, OPTIONS_WRONG},
	{{"grep", "a", "-m", "x"}, OPTIONS_WRONG},
	{{"grep", "a", "-o", "csv"}, OPTIONS_WRONG},
	{{"grep", "a", "--color", "red"}, OPTIONS_WRONG},
	{{"grep", "a", "--since", "yesterdy"}, OPTIONS_WRONG},
	{{"grep", "a", "--since", "1h", "--until", "2h"}, OPTIONS_WRONG},
	{{"grep", "a", "--every", "1m"}, OPTIONS_WRONG},
	{{"count", "--every", "0s"}, OPTIONS_WRONG},
	{{"count", "-o", "raw"}, OPTIONS_WRONG},
	{{"trace"}, OPTIONS_WRONG},
	{{"trace", ""}, OPTIONS_WRONG},
	{{"trace", "a", "b"}, OPTIONS_WRONG},
	{{"top"}, OPTIONS_WRONG},
	{{"ls", "x"}, OPTIONS_WRONG},
	{{"ls", "--names", "shards"}, OPTIONS_WRONG},
	{{"tail", "--until", "1h"}, OPTIONS_WRONG},
};

START_TEST(lines)
{
	struct options o;
	ck_assert_int_eq(parse(LINES[_i].args, &o), LINES[_i].result);
}
END_TEST

START_TEST(values)
{
	static const char *const args[] = {"grep", "-s", "a",  "--service=b", "-A", "2",
					   "-B",   "1",  "-m", "7",           "x",  NULL};
	struct options o;
	ck_assert_int_eq(parse(args, &o), OPTIONS_RUN);
	ck_assert_int_eq(o.command, COMMAND_GREP);
	ck_assert_str_eq(o.pattern, "x");
	ck_assert_uint_eq(o.services.n, 2);
	ck_assert_str_eq(o.services.items[1], "b");
	ck_assert_uint_eq(o.after, 2);
	ck_assert_uint_eq(o.before, 1);
	ck_assert(o.context);
	ck_assert_uint_eq(o.max, 7);
	ck_assert_str_eq(o.data_dir, "/var/log/haul");
}
END_TEST

START_TEST(where_the_archive_is)
{
	static const char *const plain[] = {"ls", NULL}, *const given[] = {"ls", "--data-dir", "/d",
									   NULL};
	struct options o;
	ck_assert_int_eq(setenv("HAUL_DATA_DIR", "/e", 1), 0);
	ck_assert_int_eq(parse(plain, &o), OPTIONS_RUN);
	ck_assert_str_eq(o.data_dir, "/e");
	ck_assert_int_eq(parse(given, &o), OPTIONS_RUN);
	ck_assert_str_eq(o.data_dir, "/d");
	ck_assert_int_eq(setenv("HAUL_DATA_DIR", "", 1), 0);
	ck_assert_int_eq(parse(plain, &o), OPTIONS_RUN);
	ck_assert_str_eq(o.data_dir, "/var/log/haul");
}
END_TEST

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 20);
	ck_assert_msg(f && text, "%s", path);
	if (!f)
		abort();
	ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, f), (1 << 20) - 1);
	fclose(f);
	return text;
}

/* Line by line of the table: "COMMAND\tLETTER\t--NAME\tARGUMENT\thelp", or a command's own line. */
static void for_table(void (*each)(const char *command, const char *letter, const char *name,
				   const char *const *texts),
		      const char *const *texts)
{
	char *table = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&table, &len);
	ck_assert_ptr_nonnull(out);
	options_print_table(out);
	fclose(out);
	int n = 0;
	for (char *line = table, *end; *line; line = end + 1) {
		const char *fields[5] = {"", "", "", "", ""};
		int i = 0;
		end = strchr(line, '\n');
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		for (char *at = line; at && i < 5; i++) {
			fields[i] = at;
			at = strchr(at, '\t');
			if (at)
				*at++ = '\0';
		}
		each(fields[0], fields[1], fields[2], texts);
		n++;
	}
	ck_assert_int_gt(n, 30);
	free(table);
}

static void stands_in_manual(const char *command, const char *letter, const char *name,
			     const char *const *texts)
{
	char wanted[128];
	if (strncmp(name, "--", 2) != 0) {
		snprintf(wanted, sizeof(wanted), ".It Cm %s\n", command);
		ck_assert_msg(strstr(texts[0], wanted), "%s", wanted);
		return;
	}
	snprintf(wanted, sizeof(wanted), "Fl -%s", name + 2);
	ck_assert_msg(strstr(texts[0], wanted), "%s", wanted);
	if (*letter) {
		snprintf(wanted, sizeof(wanted), ".It Fl %s", letter + 1);
		ck_assert_msg(strstr(texts[0], wanted), "%s", wanted);
	}
}

static void stands_in_completion(const char *command, const char *letter, const char *name,
				 const char *const *texts)
{
	(void)letter;
	for (; *texts; texts++) {
		ck_assert_msg(strstr(*texts, command), "%s", command);
		if (strncmp(name, "--", 2) == 0)
			ck_assert_msg(strstr(*texts, name), "%s: %s", command, name);
	}
}

START_TEST(manual)
{
	char *page = read_whole("man/haul.1");
	const char *const texts[] = {page, NULL};
	for_table(stands_in_manual, texts);
	free(page);
}
END_TEST

START_TEST(completion)
{
	char *bash = read_whole("packaging/completion/haul.bash");
	char *zsh = read_whole("packaging/completion/_haul");
	const char *const texts[] = {bash, zsh, NULL};
	for_table(stands_in_completion, texts);
	free(bash);
	free(zsh);
}
END_TEST

int main(void)
{
	unsetenv("HAUL_DATA_DIR");
	Suite *s = suite_create("query_options");
	TCase *c = tcase_create("options");
	tcase_add_loop_test(c, lines, 0, LEN(LINES));
	tcase_add_test(c, values);
	tcase_add_test(c, where_the_archive_is);
	tcase_add_test(c, manual);
	tcase_add_test(c, completion);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
