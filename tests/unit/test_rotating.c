/* Random lives of a log file: written, rotated in every way, compressed, while the agent runs, stops, is killed or is
 * held up. Each line arrives once. HAUL_SEEDS=FIRST-LAST runs others than the usual ones. */
#include "tests/lib/host.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 60, KEEP = 9, SEEDS = 40 };

static struct host h;
static uint64_t state;
static unsigned lines;
static bool running;
static char history[16384];
static unsigned last_seed = SEEDS, first_seed = 1;

static unsigned choose(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static void note(const char *what)
{
	size_t n = strlen(history);
	(void)snprintf(history + n, sizeof(history) - n, "%s; ", what);
	if (getenv("HAUL_SEEDS"))
		fprintf(stderr, "%s\n", what);
}

static bool exists(const char *name)
{
	return access(host_path(&h, name), F_OK) == 0;
}

static void write_lines(void)
{
	unsigned n = choose(4) ? choose(20) + 1 : choose(3000) + 1;
	char text[64];
	(void)snprintf(text, sizeof(text), "write %u-%u", lines + 1, lines + n);
	note(text);
	host_numbers(&h, "f.log", "n", lines + 1, n);
	lines += n;
}

/* f.1 to f.2, and so on; some are compressed by then. */
static void shift(void)
{
	char from[32], to[32];
	for (unsigned i = KEEP; i > 0; i--) {
		for (unsigned z = 0; z < 2; z++) {
			(void)snprintf(from, sizeof(from), "f.log.%u%s", i, z ? ".gz" : "");
			(void)snprintf(to, sizeof(to), "f.log.%u%s", i + 1, z ? ".gz" : "");
			if (exists(from))
				host_rename(&h, from, to);
		}
	}
}

static void rotate_by_rename(void)
{
	note("rename");
	shift();
	if (exists("f.log"))
		host_rename(&h, "f.log", "f.log.1");
	if (choose(2))
		host_append(&h, "f.log", "");
}

static void rotate_by_copy(void)
{
	if (!exists("f.log"))
		return;
	note("copytruncate");
	shift();
	host_copy(&h, "f.log", choose(4) ? "f.log.1" : "f.log.1 -p");
	if (choose(3) == 0 && running)
		host_turn(&h);
	host_truncate(&h, "f.log", 0);
}

static void compress(void)
{
	char name[32], command[64];
	unsigned i = choose(3) + 1;
	(void)snprintf(name, sizeof(name), "f.log.%u", i);
	if (!exists(name))
		return;
	(void)snprintf(command, sizeof(command), "gzip -f %s", name);
	note(command);
	host_shell(&h, command);
}

static void stop(bool kill)
{
	if (!running)
		return;
	note(kill ? "kill" : "stop");
	if (kill)
		host_kill(&h);
	else
		host_stop(&h);
	running = false;
}

static void start(void)
{
	if (running)
		return;
	note("start");
	host_start(&h);
	running = true;
}

static void go_on(void)
{
	if (!running)
		return;
	switch (choose(4)) {
	case 0:
		note("turn");
		host_turn(&h);
		break;
	case 1:
		note("pass");
		host_pass(&h, 3);
		break;
	default:
		note("run");
		host_run(&h);
		break;
	}
}

static void hold_up(void)
{
	h.arena_max = h.arena_max ? 0 : UINT64_MAX;
	note(h.arena_max ? "free" : "held up");
}

/* What is older than the agent could have read is removed only when it has been read. */
static void clean(void)
{
	char name[32];
	h.arena_max = UINT64_MAX;
	start();
	host_run(&h);
	host_pass(&h, 70);
	for (unsigned i = 4; i <= KEEP + 1; i++) {
		(void)snprintf(name, sizeof(name), "rm -f f.log.%u f.log.%u.gz", i, i);
		host_shell(&h, name);
	}
	note("clean");
	host_run(&h);
}

static void live(unsigned seed)
{
	state = seed;
	lines = 0;
	history[0] = '\0';
	running = false;
	start();
	write_lines();
	host_run(&h);
	for (unsigned step = 0, rotations = 0; step < STEPS; step++) {
		switch (choose(12)) {
		case 0:
		case 1:
		case 2: write_lines(); break;
		case 3:
		case 4:
			if (++rotations % (KEEP - 3) == 0)
				clean();
			if (choose(2))
				rotate_by_rename();
			else
				rotate_by_copy();
			break;
		case 5: compress(); break;
		case 6: stop(choose(2)); break;
		case 7: start(); break;
		case 8: hold_up(); break;
		default: go_on(); break;
		}
	}
	clean();
	host_pass(&h, 70);
}

START_TEST(each_line_once)
{
	unsigned seed = first_seed + (unsigned)_i;
	host_init(&h, seed % 2 ? "/tmp" : "/dev/shm");
	host_input(&h, "logs", seed % 3 ? "*.log" : "*", "");
	live(seed);
	fprintf(stderr, "seed %u: %s\n", seed, history);
	host_expect_numbers(&h, "n", lines);
	ck_assert_uint_eq(host_lost(&h), 0);
	host_free(&h);
}
END_TEST

int main(void)
{
	const char *seeds = getenv("HAUL_SEEDS");
	if (seeds && sscanf(seeds, "%u-%u", &first_seed, &last_seed) < 2)
		last_seed = first_seed;
	Suite *suite = suite_create("rotating");
	TCase *tcase = tcase_create("rotating");
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, each_line_once, 0, (int)(last_seed - first_seed + 1));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
