/* Configuration files: the directory beside the main file, and what can be wrong with files. */
#include "common/file.h"
#include "tests/lib/sample_conf.h"
#include "tests/lib/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char dir[] = "/tmp/haul-test-conf-XXXXXX";

static void setup(void)
{
	temp_dir_make(dir);
}

static void teardown(void)
{
	temp_dir_remove(dir);
}

static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	ck_assert_int_eq(file_replace(AT_FDCWD, in_dir(name), span_of(text), 0644), 0);
}

static int read_files(const char *name, bool optional, struct conf **ret, struct conf_error *err)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return conf_read(sample_sections, SAMPLE_SECTIONS, path, optional, ret, err);
}

START_TEST(directory_is_read_after_the_file_in_c_order)
{
	struct conf *c = NULL;
	struct conf_error err = {"no error"};
	put("a.conf", "[agent]\nhost = main\n[input m]\npath = /m\n");
	ck_assert_int_eq(mkdir(in_dir("a.conf.d"), 0755), 0);
	put("a.conf.d/b.conf", "[input b]\n");
	put("a.conf.d/B.conf", "[input B]\n");
	put("a.conf.d/10.conf", "[agent]\nurl = http://ten\n[input ten]\n");
	put("a.conf.d/9.conf", "[input nine]\npath = /n\n");
	put("a.conf.d/.hidden.conf", "[nonsense\n");
	put("a.conf.d/x.conf~", "[nonsense\n");
	put("a.conf.d/README", "[nonsense\n");
	ck_assert_msg(read_files("a.conf", false, &c, &err) == 0, "%s", err.text);
	static const char *const order[] = {"m", "ten", "nine", "B", "b"};
	ck_assert_uint_eq(conf_count(c, "input"), LEN(order));
	for (size_t i = 0; i < LEN(order); i++)
		ck_assert_str_eq(conf_section_name(c, "input", i), order[i]);
	ck_assert_str_eq(sample_agent_of(c)->host, "main");
	ck_assert_str_eq(sample_agent_of(c)->url, "http://ten");
	ck_assert(
		span_ends_with(span_of(conf_where(c, "input", 1)), span_of("/a.conf.d/10.conf:3")));
	conf_free(c);
}
END_TEST

START_TEST(twice_is_an_error_across_files_too)
{
	struct conf *c = NULL;
	struct conf_error err;
	char want[2 * PATH_MAX];
	put("a.conf", "[agent]\nhost = main\n[input m]\n");
	ck_assert_int_eq(mkdir(in_dir("a.conf.d"), 0755), 0);
	put("a.conf.d/b.conf", "\n[agent]\nhost = again\n");
	ck_assert_int_eq(read_files("a.conf", false, &c, &err), -EINVAL);
	(void)snprintf(want, sizeof(want),
		       "%s/a.conf.d/b.conf:3: host is already given at %s/a.conf:2", dir, dir);
	ck_assert_str_eq(err.text, want);

	put("a.conf.d/b.conf", "[input m]\n");
	ck_assert_int_eq(read_files("a.conf", false, &c, &err), -EINVAL);
	(void)snprintf(want, sizeof(want),
		       "%s/a.conf.d/b.conf:1: [input m] is already at %s/a.conf:3", dir, dir);
	ck_assert_str_eq(err.text, want);

	/* A list does not go on in another file. */
	put("a.conf", "[input m]\npath = /m\n");
	put("a.conf.d/b.conf", "  /n\n");
	ck_assert_int_eq(read_files("a.conf", false, &c, &err), -EINVAL);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(missing_files)
{
	struct conf *c = NULL;
	struct conf_error err;
	char want[2 * PATH_MAX];
	ck_assert_int_eq(read_files("a.conf", false, &c, &err), -ENOENT);
	(void)snprintf(want, sizeof(want), "%s/a.conf: cannot be read: No such file or directory",
		       dir);
	ck_assert_str_eq(err.text, want);
	ck_assert_int_eq(read_files("a.conf", true, &c, &err), 0);
	ck_assert_uint_eq(conf_count(c, "agent"), 1);
	conf_free(c);

	/* The directory counts even when the main file is not there. */
	ck_assert_int_eq(mkdir(in_dir("a.conf.d"), 0755), 0);
	put("a.conf.d/x.conf", "[agent]\nhost = x\n");
	ck_assert_int_eq(read_files("a.conf", true, &c, &err), 0);
	ck_assert_str_eq(sample_agent_of(c)->host, "x");
	conf_free(c);
}
END_TEST

START_TEST(files_that_are_none)
{
	struct conf *c = NULL;
	struct conf_error err;
	char want[2 * PATH_MAX];
	ck_assert_int_eq(mkdir(in_dir("a.conf"), 0755), 0);
	ck_assert_int_eq(read_files("a.conf", true, &c, &err), -EISDIR);
	(void)snprintf(want, sizeof(want), "%s/a.conf: cannot be read: Is a directory", dir);
	ck_assert_str_eq(err.text, want);

	put("b.conf", "");
	put("b.conf.d", "not a directory");
	ck_assert_int_eq(read_files("b.conf", false, &c, &err), -ENOTDIR);
	(void)snprintf(want, sizeof(want), "%s/b.conf.d: cannot be read: Not a directory", dir);
	ck_assert_str_eq(err.text, want);

	put("c.conf", "");
	ck_assert_int_eq(mkdir(in_dir("c.conf.d"), 0755), 0);
	ck_assert_int_eq(symlink("/none", in_dir("c.conf.d/gone.conf")), 0);
	ck_assert_int_eq(read_files("c.conf", true, &c, &err), -ENOENT);
	(void)snprintf(want, sizeof(want),
		       "%s/c.conf.d/gone.conf: cannot be read: No such file or directory", dir);
	ck_assert_str_eq(err.text, want);
	/* A link to /dev/null is how administrators switch one off. */
	ck_assert_int_eq(unlink(in_dir("c.conf.d/gone.conf")), 0);
	ck_assert_int_eq(symlink("/dev/null", in_dir("c.conf.d/off.conf")), 0);
	ck_assert_int_eq(read_files("c.conf", false, &c, &err), 0);
	conf_free(c);

	ck_assert_int_eq(symlink("/dev/zero", in_dir("d.conf")), 0);
	ck_assert_int_eq(read_files("d.conf", false, &c, &err), -EMSGSIZE);
	(void)snprintf(want, sizeof(want),
		       "%s/d.conf: cannot be read: larger than 4 MiB, is this a configuration?",
		       dir);
	ck_assert_str_eq(err.text, want);
}
END_TEST

START_TEST(other_names_have_no_directory)
{
	struct conf *c = NULL;
	struct conf_error err;
	put("plain", "[agent]\nhost = p\n");
	ck_assert_int_eq(mkdir(in_dir("plain.d"), 0755), 0);
	put("plain.d/x.conf", "[nonsense\n");
	ck_assert_int_eq(read_files("plain", false, &c, &err), 0);
	ck_assert_str_eq(sample_agent_of(c)->host, "p");
	conf_free(c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf_files");
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, directory_is_read_after_the_file_in_c_order);
	tcase_add_test(files, twice_is_an_error_across_files_too);
	tcase_add_test(files, missing_files);
	tcase_add_test(files, files_that_are_none);
	tcase_add_test(files, other_names_have_no_directory);
	suite_add_tcase(suite, files);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
