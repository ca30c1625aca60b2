/* Notifications as a service manager receives them. */
#include "common/notify.h"

#include "common/clock.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager = -1;
static char path[64];

/* Plays the manager: a socket that `name` leads to. */
static void listen_at(const struct sockaddr_un *address, socklen_t len, const char *name)
{
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(manager, 0);
	ck_assert_int_eq(bind(manager, (const struct sockaddr *)address, len), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void setup(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(path, sizeof(path), "/tmp/haul-test-notify-%d", (int)getpid());
	(void)unlink(path);
	strcpy(address.sun_path, path);
	listen_at(&address, sizeof(address), path);
}

static void teardown(void)
{
	close(manager);
	(void)unlink(path);
	unsetenv("NOTIFY_SOCKET");
}

/* The next datagram, "" when there is none: a datagram on a local socket is there once it is
 * sent. */
static const char *received(void)
{
	static char text[4096];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static int64_t fixed_clock(void)
{
	return 123456789012;
}

START_TEST(states)
{
	ck_assert(notify_is_heard());
	notify_ready();
	ck_assert_str_eq(received(), "READY=1");
	notify_watchdog();
	ck_assert_str_eq(received(), "WATCHDOG=1");
	notify_stopping();
	ck_assert_str_eq(received(), "STOPPING=1");
	clock_replace(fixed_clock, NULL);
	notify_reloading();
	clock_replace(NULL, NULL);
	ck_assert_str_eq(received(), "RELOADING=1\nMONOTONIC_USEC=123456789");
	ck_assert_str_eq(received(), "");
}
END_TEST

START_TEST(status_is_one_short_line)
{
	char longer[5000];
	notify_status("following %d files", 7);
	ck_assert_str_eq(received(), "STATUS=following 7 files");
	notify_status("a\nREADY=1");
	ck_assert_str_eq(received(), "STATUS=a READY=1");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	notify_status("%s", longer);
	ck_assert_uint_lt(strlen(received()), 500);
}
END_TEST

START_TEST(abstract_names)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];
	int n = snprintf(name, sizeof(name), "@haul-test-notify-%d", (int)getpid());
	memcpy(address.sun_path + 1, name + 1, (size_t)n - 1);
	close(manager);
	listen_at(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n), name);
	notify_ready();
	ck_assert_str_eq(received(), "READY=1");
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
	char longer[300];
	memset(longer, '/', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	const char *const names[] = {"",    "/", "relative", "vsock:2:1234", "/tmp/haul-no-such",
				     longer};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(setenv("NOTIFY_SOCKET", names[i], 1), 0);
		notify_ready();
	}
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	ck_assert_str_eq(received(), "");
}
END_TEST

START_TEST(a_full_queue_does_not_hold_us_for_good)
{
	for (int i = 0; i < 2000; i++) {
		int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		strcpy(address.sun_path, path);
		ssize_t n = sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address));
		close(fd);
		if (n < 0)
			break;
	}
	notify_status("nobody listens");
	ck_assert_str_eq(received(), "x");
}
END_TEST

START_TEST(watchdog_interval)
{
	char pid[32], other[32];
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)snprintf(other, sizeof(other), "%d", (int)getppid());
	const struct {
		const char *usec, *pid;
		int64_t interval_ns;
	} table[] = {
		{NULL, NULL, 0},
		{"30000000", NULL, 15000000000},
		{"30000000", pid, 15000000000},
		{"30000000", other, 0},
		{"30000000", "x", 0},
		{NULL, pid, 0},
		{"0", pid, 0},
		{"", pid, 0},
		{"-1", pid, 0},
		{"18446744073709551615", pid, 0},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (table[i].usec)
			ck_assert_int_eq(setenv("WATCHDOG_USEC", table[i].usec, 1), 0);
		if (table[i].pid)
			ck_assert_int_eq(setenv("WATCHDOG_PID", table[i].pid, 1), 0);
		ck_assert_int_eq(notify_watchdog_interval_ns(), table[i].interval_ns);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify");
	TCase *tcase = tcase_create("notify");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, states);
	tcase_add_test(tcase, status_is_one_short_line);
	tcase_add_test(tcase, abstract_names);
	tcase_add_test(tcase, without_a_manager_nothing_happens);
	tcase_add_test(tcase, a_full_queue_does_not_hold_us_for_good);
	tcase_add_test(tcase, watchdog_interval);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
