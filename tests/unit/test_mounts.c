/* Network file systems, by the kernel's list of mounts. */
#include "agent/files/mounts.h"

#include <check.h>
#include <stdlib.h>

static const char list[] =
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"23 22 0:21 / /proc rw,nosuid - proc proc rw\n"
	"40 22 0:40 / /mnt/nfs rw,relatime shared:20 - nfs4 server:/export rw,vers=4.2\n"
	"41 22 0:41 / /mnt/with\\040blank rw - cifs //server/share rw\n"
	"42 22 0:42 /sub /home/ann/far rw,nosuid,nodev shared:22 master:3 - fuse.sshfs ann@server: "
	"rw\n"
	"43 22 0:43 / /mnt/local rw - fuse.mergerfs a:b rw\n"
	"a line that is none\n"
	"44 22 0:44 / /mnt/optional rw shared:1 master:2 propagate_from:3 - nfs server:/x rw";

START_TEST(which_paths_are_remote)
{
	static const struct {
		const char *path;
		bool remote;
	} table[] = {
		{"/", false},
		{"/mnt", false},
		{"/mnt/nfs", true},
		{"/mnt/nfs/logs/a.log", true},
		{"/mnt/nfs2/a.log", false},
		{"/mnt/with blank/a.log", true},
		{"/home/ann", false},
		{"/home/ann/far/x", true},
		{"/mnt/local/x", false},
		{"/mnt/optional", true},
		{"/proc/1", false},
	};
	struct mounts m = {.read_ns = 1};
	ck_assert_int_eq(mounts_take(&m, span_of(list)), 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_msg(mounts_is_remote(&m, table[i].path, 2) == table[i].remote, "%s",
			      table[i].path);
	/* A second later it is the truth of this machine. */
	(void)mounts_is_remote(&m, "/", INT64_C(2000000000));
	ck_assert(!mounts_is_remote(&m, "/mnt/with blank/a.log", INT64_C(2000000001)));
	mounts_free(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mounts");
	TCase *tcase = tcase_create("mounts");
	tcase_add_test(tcase, which_paths_are_remote);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
