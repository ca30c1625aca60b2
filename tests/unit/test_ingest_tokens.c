/* The tokens file: who may send for which host, and that changing it loses nothing. */
#include "collector/ingest/tokens.h"

#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))
#define HASH   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/haul-tokens.XXXXXX", path[64];

static void setup(void)
{
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/tokens", dir);
}

static void teardown(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing else was left behind */
}

static const struct {
	const char *text;
	int r;
	size_t n, line;
} FILES[] = {
	{"", 0, 0, 0},
	{"# nobody\n\n   \n", 0, 0, 3},
	{"web-01 0123456789abcdef " HASH "\n", 0, 1, 1},
	{"web-01 0123456789abcdef " HASH, 0, 1, 1},
	{"  web-*\t0123456789abcdef\t" HASH "  \r\n", 0, 1, 1},
	{"a 0123456789abcdef " HASH "\nb 0123456789abcdef " HASH "\n", 0, 2, 2},
	{"a 0123456789abcdef " HASH "\nb\n", -EINVAL, 0, 2},
	{"web/01 0123456789abcdef " HASH "\n", -EINVAL, 0, 1},
	{"web-01 0123456789ABCDEF " HASH "\n", -EINVAL, 0, 1},
	{"web-01 0123456789abcde " HASH "\n", -EINVAL, 0, 1},
	{"web-01 0123456789abcdef " HASH "0\n", -EINVAL, 0, 1},
	{"web-01 0123456789abcdef " HASH " x\n", -EINVAL, 0, 1},
};

START_TEST(parse)
{
	struct tokens t = {0};
	size_t line;
	const char *why = NULL;
	ck_assert_int_eq(tokens_parse(span_of(FILES[_i].text), &t, &line, &why), FILES[_i].r);
	ck_assert_uint_eq(t.n, FILES[_i].n);
	ck_assert_uint_eq(line, FILES[_i].line);
	ck_assert(FILES[_i].r == 0 || why);
	tokens_free(&t);
}
END_TEST

static void add(const char *hosts, char token[TOKEN_LEN + 1])
{
	struct conf_error err;
	ck_assert_msg(tokens_add(path, hosts, NULL, token, &err) == 0, "%s", err.text);
}

static struct tokens read_back(void)
{
	struct tokens t;
	struct conf_error err;
	ck_assert_msg(tokens_read(path, &t, &err) == 0, "%s", err.text);
	return t;
}

static const char *found(const struct tokens *t, const char *token)
{
	const struct token *hit = tokens_find(t, span_of(token));
	return hit ? hit->hosts : "";
}

START_TEST(add_and_find)
{
	char web[TOKEN_LEN + 1], db[TOKEN_LEN + 1];
	struct tokens none = read_back();
	ck_assert_uint_eq(none.n, 0);
	add("web-01", web);
	add("db-*", db);
	struct tokens t = read_back();
	ck_assert_uint_eq(t.n, 2);
	ck_assert_str_eq(found(&t, web), "web-01");
	ck_assert_str_eq(found(&t, db), "db-*");
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	struct buf text = BUF_EMPTY; /* the secret is not in the file */
	ck_assert_int_eq(file_read(AT_FDCWD, path, 1 << 20, &text), 0);
	ck_assert_ptr_nonnull(buf_cstr(&text));
	ck_assert_ptr_null(strstr(text.ptr, web + sizeof(TOKEN_PREFIX) - 1 + TOKEN_SALT_HEX));
	buf_free(&text);
	tokens_free(&t);
}
END_TEST

START_TEST(a_token_is_taken_whole)
{
	char token[TOKEN_LEN + 1], other[TOKEN_LEN + 1];
	add("web-01", token);
	struct tokens t = read_back();
	for (size_t i = 0; i < TOKEN_LEN; i++) {
		memcpy(other, token, sizeof(other));
		other[i] = other[i] == '0' ? '1' : '0';
		ck_assert_str_eq(found(&t, other), "");
	}
	ck_assert_ptr_null(tokens_find(&t, span_make(token, TOKEN_LEN - 1)));
	ck_assert_ptr_null(tokens_find(&t, SPAN_LITERAL("")));
	ck_assert_ptr_nonnull(tokens_find(&t, span_make(token, TOKEN_LEN)));
	tokens_free(&t);
}
END_TEST

static const struct {
	const char *hosts, *host;
	bool allowed;
} RIGHTS[] = {
	{"web-01", "web-01", true},     {"web-01", "web-011", false}, {"web-01", "WEB-01", false},
	{"web-*", "web-01", true},      {"web-*", "web-", true},      {"web-*", "db-web-01", false},
	{"*", "anything.at.all", true}, {"web-[0-9]", "web-7", true}, {"web-[0-9]", "web-x", false},
	{"w?b", "wab", true},
};

START_TEST(rights)
{
	struct token t = {0};
	(void)snprintf(t.hosts, sizeof(t.hosts), "%s", RIGHTS[_i].hosts);
	ck_assert_int_eq(token_allows(&t, span_of(RIGHTS[_i].host)), RIGHTS[_i].allowed);
}
END_TEST

START_TEST(no_right_behind_a_nul)
{
	struct token t = {.hosts = "web-01"};
	ck_assert(!token_allows(&t, SPAN_LITERAL("web-01\0.evil")));
}
END_TEST

static void write_file(const char *text)
{
	ck_assert_int_eq(file_replace(AT_FDCWD, path, span_of(text), 0600), 0);
}

static void expect_file(const char *text)
{
	struct buf is = BUF_EMPTY;
	ck_assert_int_eq(file_read(AT_FDCWD, path, 1 << 20, &is), 0);
	ck_assert_str_eq(buf_cstr(&is), text);
	buf_free(&is);
}

START_TEST(revoke_keeps_the_rest)
{
	size_t n = 99;
	struct conf_error err;
	write_file("# ours\nweb-01 0123456789abcdef " HASH "\n  db-01 0123456789abcdef " HASH
		   "\nweb-01 1123456789abcdef " HASH "\nweb-* 2123456789abcdef " HASH);
	ck_assert_int_eq(tokens_revoke(path, "web-01", &n, &err), 0);
	ck_assert_uint_eq(n, 2);
	expect_file("# ours\n  db-01 0123456789abcdef " HASH "\nweb-* 2123456789abcdef " HASH);
	ck_assert_int_eq(tokens_revoke(path, "web-01", &n, &err), 0);
	ck_assert_uint_eq(n, 0);
	char token[TOKEN_LEN + 1];
	add("late", token); /* behind a last line without its LF */
	struct tokens t = read_back();
	ck_assert_uint_eq(t.n, 3);
	tokens_free(&t);
}
END_TEST

START_TEST(revoke_from_nothing)
{
	size_t n = 99;
	struct conf_error err;
	ck_assert_int_eq(tokens_revoke(path, "web-01", &n, &err), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(a_damaged_file_is_left_alone)
{
	char token[TOKEN_LEN + 1];
	struct conf_error err;
	struct tokens t;
	write_file("# ours\nrubbish\n");
	ck_assert_int_eq(tokens_read(path, &t, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "/tokens:2: "));
	ck_assert_int_eq(tokens_add(path, "web-01", NULL, token, &err), -EINVAL);
	expect_file("# ours\nrubbish\n");
}
END_TEST

START_TEST(hosts_that_are_none)
{
	static const char *const bad[] = {"", "a b", "a/b", "a\nb", "#", "\xc3\xa4"};
	char token[TOKEN_LEN + 1];
	struct conf_error err;
	for (int i = 0; i < LEN(bad); i++)
		ck_assert_int_eq(tokens_add(path, bad[i], NULL, token, &err), -EINVAL);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* Eight commands at once: none of their tokens is lost. */
START_TEST(at_once)
{
	enum { COMMANDS = 8 };
	for (int i = 0; i < COMMANDS; i++) {
		pid_t pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			char token[TOKEN_LEN + 1], host[16];
			struct conf_error err;
			(void)snprintf(host, sizeof(host), "h%d", i);
			_exit(tokens_add(path, host, NULL, token, &err) < 0);
		}
	}
	int status;
	for (int i = 0; i < COMMANDS; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	struct tokens t = read_back();
	ck_assert_uint_eq(t.n, COMMANDS);
	tokens_free(&t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_tokens");
	TCase *tcase = tcase_create("ingest_tokens");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, parse, 0, LEN(FILES));
	tcase_add_test(tcase, add_and_find);
	tcase_add_test(tcase, a_token_is_taken_whole);
	tcase_add_loop_test(tcase, rights, 0, LEN(RIGHTS));
	tcase_add_test(tcase, no_right_behind_a_nul);
	tcase_add_test(tcase, revoke_keeps_the_rest);
	tcase_add_test(tcase, revoke_from_nothing);
	tcase_add_test(tcase, a_damaged_file_is_left_alone);
	tcase_add_test(tcase, hosts_that_are_none);
	tcase_add_test(tcase, at_once);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
