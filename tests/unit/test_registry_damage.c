/* The registry, damaged, cut, or never finished: what it still gives is true, and what it does not
 * know any more it does not claim. */
#include "agent/files/registry_format.h"
#include "common/file.h"
#include "common/num.h"
#include "common/uuid.h"
#include "tests/lib/one_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The line that says so may be one of those that are damaged. */
START_TEST(does_not_trust_an_unborn_one_when_damaged)
{
	open_it();
	struct source *born = add(1), *unborn = add(2);
	born->born = true;
	advance(born, "x\n");
	registry_touch(registry, unborn);
	registry_announce(registry);
	close_it();
	open_it();
	ck_assert_uint_eq(source_count(table), 2);
	close_it();
	shell("echo rubbish >>registry");
	open_it();
	ck_assert_uint_eq(source_count(table), 1);
	ck_assert(source_first(table)->born);
}
END_TEST

/* A file of some sources with some commits each. */
static void fill(unsigned sources, unsigned commits)
{
	open_it();
	for (unsigned i = 0; i < sources; i++)
		add(i + 1);
	registry_announce(registry);
	for (unsigned k = 0; k < commits; k++) {
		for (struct source *s = source_first(table); s; s = source_after(table, s))
			advance(s, "line\n");
		registry_announce(registry);
	}
	close_it();
}

static void read_file(const char *name, struct buf *out)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(file_read(AT_FDCWD, path, 1 << 20, out), 0);
}

static void write_file(const char *name, struct span bytes)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_eq(file_write_all(fd, bytes), 0);
	close(fd);
}

/* Whatever stands in the file: it opens, every source that it gives is one that was written, at a
 * place where it was, and it can be written again. */
static void survives(unsigned sources, unsigned commits)
{
	open_it();
	ck_assert_uint_le(source_count(table), sources);
	for (struct source *s = source_first(table); s; s = source_after(table, s)) {
		ck_assert_uint_le(s->committed.offset, 5 * commits);
		ck_assert_uint_eq(s->committed.offset % 5, 0);
		ck_assert_str_eq(s->service, "shop");
	}
	ck_assert_ptr_null(registry_problem(registry));
	close_it();
}

START_TEST(damage_at_every_byte)
{
	struct buf whole = BUF_EMPTY, copy = BUF_EMPTY;
	fill(2, 3);
	read_file("registry", &whole);
	for (size_t at = 0; at < whole.len; at++) {
		static const unsigned char flips[] = {0x01, 0x80, 0xff};
		for (size_t i = 0; i < sizeof(flips); i++) {
			buf_clear(&copy);
			ck_assert_int_eq(buf_add_span(&copy, buf_span(&whole)), 0);
			copy.ptr[at] = (char)((unsigned char)copy.ptr[at] ^ flips[i]);
			write_file("registry", buf_span(&copy));
			survives(2, 3);
		}
	}
	buf_free(&whole);
	buf_free(&copy);
}
END_TEST

START_TEST(cut_at_every_byte)
{
	struct buf whole = BUF_EMPTY;
	fill(2, 3);
	read_file("registry", &whole);
	for (size_t len = 0; len < whole.len; len++) {
		write_file("registry", span_first(buf_span(&whole), len));
		survives(2, 3);
		/* The end zeroed, as after a power cut. */
		struct buf copy = BUF_EMPTY;
		ck_assert_int_eq(buf_add_span(&copy, buf_span(&whole)), 0);
		memset(copy.ptr + len, 0, copy.len - len);
		write_file("registry", buf_span(&copy));
		survives(2, 3);
		buf_free(&copy);
	}
	buf_free(&whole);
}
END_TEST

static int64_t first_run_ns(void)
{
	char path[128];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/lock", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mtim.tv_sec * NUM_SEC_NS + st.st_mtim.tv_nsec + REGISTRY_CLOCK_SLACK_NS + 1;
}

static int64_t seen_until_ns(struct span bytes)
{
	write_file("registry", bytes);
	open_it();
	int64_t ns = registry_last_alive_ns(registry);
	close_it();
	return ns;
}

/* Of a file that was seen the line may be gone: then the time behind it is, too. */
START_TEST(seen_until)
{
	struct buf first = BUF_EMPTY, whole = BUF_EMPTY;
	open_it();
	ck_assert_int_eq(registry_last_alive_ns(registry), 0);
	add(1);
	registry_alive(registry, 1000);
	close_it();
	read_file("registry", &first);
	open_it();
	ck_assert_int_eq(registry_last_alive_ns(registry), 1000);
	add(2);
	registry_alive(registry, 2000);
	registry_announce(registry);
	close_it();
	read_file("registry", &whole);
	ck_assert_uint_gt(whole.len, first.len);
	ck_assert_mem_eq(whole.ptr, first.ptr, first.len);
	ck_assert_int_eq(seen_until_ns(buf_span(&whole)), 2000);
	for (size_t at = 0; at < whole.len; at++) {
		ck_assert_int_eq(seen_until_ns(span_make(whole.ptr, at)),
				 at < first.len ? first_run_ns() : 1000);
		whole.ptr[at] ^=
			1; /* the last line, without its LF, is one that was not written whole */
		ck_assert_int_eq(seen_until_ns(buf_span(&whole)),
				 at < whole.len - 1 ? first_run_ns() : 1000);
		whole.ptr[at] ^= 1;
	}
	shell("rm registry");
	open_it();
	ck_assert_int_eq(registry_last_alive_ns(registry), first_run_ns());
	close_it();
	buf_free(&first);
	buf_free(&whole);
}
END_TEST

/* It lasts until all was seen once, whatever is written meanwhile. */
START_TEST(first_start)
{
	open_it();
	ck_assert(registry_is_first_start(registry));
	add(1);
	close_it();
	shell("printf torn >>registry"); /* it is written anew */
	for (unsigned i = 0; i < 2; i++) {
		open_it();
		ck_assert_uint_eq(source_count(table), 1);
		ck_assert(registry_is_first_start(registry));
		ck_assert_int_eq(registry_last_alive_ns(registry), first_run_ns());
		if (i)
			registry_alive(registry, 1000);
		close_it();
	}
	open_it();
	ck_assert(!registry_is_first_start(registry));
	ck_assert_int_eq(registry_last_alive_ns(registry), 1000);
}
END_TEST

START_TEST(damaged_file_is_set_aside)
{
	fill(2, 2);
	shell("printf 'rubbish\\n' >>registry");
	open_it();
	ck_assert_uint_eq(source_count(table), 2);
	ck_assert(!registry_is_first_start(registry));
	close_it();
	shell("grep -q rubbish registry.damaged && ! grep -q rubbish registry");
	/* A last line that was not written whole is an ordinary end. */
	shell("rm registry.damaged; printf 'half' >>registry");
	open_it();
	close_it();
	shell("test ! -e registry.damaged && ! grep -q half registry");
}
END_TEST

static const char *const wrong_lines[] = {
	"",
	"x",
	"s",
	"s 0123456789abcdef0123456789abcdef",
	"x 0123456789abcdef0123456789abcde",
	"x 0123456789abcdef0123456789abcdef ",
	"x 0123456789abcdef0123456789abcdef more",
	"q 0123456789abcdef0123456789abcdef",
	"a",
	"a x",
	"a 5 5",
	"c 0123456789abcdef0123456789abcdef 5 6 0000000000000000 5 1 %",
	"c 0123456789abcdef0123456789abcdef 5 0 0000000000000000 5 2 %",
	"c 0123456789abcdef0123456789abcdef 5 0 000000000000000 5 1 %",
	"c 0123456789abcdef0123456789abcdef 5 0 0000000000000000 5 1 %zz",
	"c 0123456789abcdef0123456789abcdef 5 0 0000000000000000 5 1 2%20x",
	"r 0123456789abcdef0123456789abcdef 0 5",
	"s 0123456789abcdef0123456789abcdef following -b 0 0 1 2 3 4 logs /a%00 svc %",
	"s 0123456789abcdef0123456789abcdef followed -b 0 0 1 2 3 4 logs /a svc %",
	"s 0123456789abcdef0123456789abcdef following -b 0 0 1 2 3 4 logs /a svc",
};

START_TEST(lines_that_are_wrong)
{
	char line[512], hex[17] = "";
	table = source_table_new();
	const char *text = wrong_lines[_i];
	uint64_t crc = crc64_add(CRC64_EMPTY, text, strlen(text));
	for (int i = 0; i < 16; i++)
		hex[i] = "0123456789abcdef"[crc >> (60 - 4 * i) & 15];
	(void)snprintf(line, sizeof(line), "%s %s", hex, text);
	int64_t alive_ns = 0;
	ck_assert_msg(registry_take_line(span_of(line), table, &alive_ns) == -EBADMSG, "%s", text);
	ck_assert_uint_eq(source_count(table), 0);
	source_table_free(table);
	table = NULL;
}
END_TEST

/* The two uuids that the agent had, as far as it still has them: never others that are nearly the
 * same. */
static void keeps_or_forgets(const char *agent, const char *collector, bool *ret_agent,
			     bool *ret_collector)
{
	open_it();
	*ret_agent = strcmp(registry_agent_uuid(registry), agent) == 0;
	*ret_collector = strcmp(registry_collector_uuid(registry), collector) == 0;
	if (!*ret_collector)
		ck_assert_str_eq(registry_collector_uuid(registry), "");
	for (size_t i = 0, differing = 0; !*ret_agent && i < UUID_LEN; i++) {
		differing += registry_agent_uuid(registry)[i] != agent[i];
		ck_assert(i < UUID_LEN - 1 || differing > 4);
	}
	close_it();
}

START_TEST(uuids_damaged_at_every_bit)
{
	char agent[UUID_LEN + 1], collector[UUID_LEN + 1];
	bool has_agent, has_collector;
	struct buf whole = BUF_EMPTY, copy = BUF_EMPTY;
	ck_assert_int_eq(uuid_make(collector), 0);
	open_it();
	memcpy(agent, registry_agent_uuid(registry), sizeof(agent));
	ck_assert_int_eq(registry_set_collector_uuid(registry, collector), 0);
	close_it();
	read_file("identity", &whole);
	for (size_t bit = 0; bit < 8 * whole.len; bit++) {
		buf_clear(&copy);
		ck_assert_int_eq(buf_add(&copy, whole.ptr, whole.len), 0);
		copy.ptr[bit / 8] = (char)((unsigned char)copy.ptr[bit / 8] ^ 1 << bit % 8);
		write_file("identity", buf_span(&copy));
		keeps_or_forgets(agent, collector, &has_agent, &has_collector);
		/* One line harms the other only when the end between them is gone. */
		ck_assert(has_agent || has_collector || whole.ptr[bit / 8] == '\n');
		ck_assert(!has_agent || !has_collector || bit / 8 == whole.len - 1);
		shell("test -s identity.damaged && rm identity.damaged");
	}
	for (size_t len = 0; len < whole.len; len++) {
		write_file("identity", span_first(buf_span(&whole), len));
		keeps_or_forgets(agent, collector, &has_agent, &has_collector);
		ck_assert(has_agent == (len >= span_find(buf_span(&whole), '\n')));
	}
	write_file("identity", buf_span(&whole));
	keeps_or_forgets(agent, collector, &has_agent, &has_collector);
	ck_assert(has_agent && has_collector);
	buf_free(&whole);
	buf_free(&copy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry_damage");
	TCase *tcase = tcase_create("registry");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, seen_until);
	tcase_add_test(tcase, first_start);
	tcase_add_test(tcase, damage_at_every_byte);
	tcase_add_test(tcase, cut_at_every_byte);
	tcase_add_test(tcase, uuids_damaged_at_every_bit);
	tcase_add_test(tcase, damaged_file_is_set_aside);
	tcase_add_test(tcase, does_not_trust_an_unborn_one_when_damaged);
	tcase_add_loop_test(tcase, lines_that_are_wrong, 0,
			    sizeof(wrong_lines) / sizeof(wrong_lines[0]));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
