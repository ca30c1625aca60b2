/* Random lives of a log file: written, rotated in every way, compressed, while the agent runs,
 * stops, is killed or is held up. Each line arrives once. HAUL_SEEDS=FIRST-LAST runs others than
 * the usual ones, HAUL_DUMP=1 shows the sources and the files before each step. */
#include "tests/lib/host.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 60, KEEP = 9, SEEDS = 30 };

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
	if (getenv("HAUL_DUMP")) {
		host_dump(&h);
		host_shell(&h, "ls -gGis --time-style=+ >&2");
	}
	if (getenv("HAUL_SEEDS"))
		fprintf(stderr, "%s\n", what);
}

static bool exists(const char *name)
{
	return access(host_path(&h, name), F_OK) == 0;
}

static bool may_write(void);

static void write_lines(void)
{
	if (!may_write())
		return;
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

/* --- step by step --- */

/* What another program is about, a step at a time, while the agent looks and dies: a copy that is
 * being made and then truncated, or a file that is being compressed in place, as Docker does it. */
static struct {
	enum { IDLE, COPYING, PACKING } what;
	unsigned step;
} job;

/* Bytes of `from` from the middle on, or up to there, go to the end of `to`; one past the middle
 * are all that are left. */
static void copy_half(const char *from, const char *to, bool second)
{
	char command[256];
	(void)snprintf(command, sizeof(command),
		       second ? "tail -c +$(($(stat -c %%s %s) + 1)) %s >>%s"
			      : "head -c $(($(stat -c %%s %s) / 2)) %s >%s",
		       second ? to : from, from, to);
	host_shell(&h, command);
}

static void copying(void)
{
	switch (job.step) {
	case 1: copy_half("f.log", "f.log.1", false); break;
	case 2: copy_half("f.log", "f.log.1", true); break;
	default:
		host_truncate(&h, "f.log", 0);
		job.what = IDLE;
		break;
	}
}

static void packing(void)
{
	switch (job.step) {
	case 1: copy_half("../$(basename $PWD).gz", "f.log.1.gz", false); break;
	case 2: copy_half("../$(basename $PWD).gz", "f.log.1.gz", true); break;
	default:
		if (choose(2))
			host_shell(&h, "touch -r f.log.1 f.log.1.gz");
		host_shell(&h, "rm f.log.1 ../$(basename $PWD).gz");
		job.what = IDLE;
		break;
	}
}

static void job_step(void)
{
	static const char *const names[] = {"", "copying", "packing"};
	char text[32];
	if (job.what == IDLE)
		return;
	job.step++;
	(void)snprintf(text, sizeof(text), "%s %u", names[job.what], job.step);
	note(text);
	if (job.what == COPYING)
		copying();
	else
		packing();
}

static void job_end(void)
{
	while (job.what != IDLE)
		job_step();
}

static void job_begin(void)
{
	if (choose(2)) {
		if (!exists("f.log"))
			return;
		note("copying");
		shift();
		host_append(&h, "f.log.1", "");
		job.what = COPYING;
	} else {
		if (!exists("f.log.1") || exists("f.log.1.gz"))
			return;
		note("packing");
		host_shell(&h, "gzip -c f.log.1 >../$(basename $PWD).gz; : >f.log.1.gz");
		job.what = PACKING;
	}
	job.step = 0;
}

/* What is written between the copying and the truncation is lost: that is copytruncate's own
 * affair. */
static bool may_write(void)
{
	return job.what != COPYING || job.step < 2;
}

/* --- the agent --- */

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
	job_end();
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

static void rotate(unsigned *rotations, bool stepwise)
{
	job_end();
	if (++*rotations % (KEEP - 3) == 0)
		clean();
	if (choose(2))
		rotate_by_rename();
	else if (stepwise)
		job_begin();
	else
		rotate_by_copy();
}

static void live(unsigned seed, bool stepwise)
{
	state = seed;
	lines = 0;
	history[0] = '\0';
	running = false;
	job.what = IDLE;
	start();
	write_lines();
	host_run(&h);
	for (unsigned step = 0, rotations = 0; step < STEPS; step++) {
		job_step();
		switch (choose(12)) {
		case 0:
		case 1:
		case 2: write_lines(); break;
		case 3:
		case 4: rotate(&rotations, stepwise); break;
		case 5:
			if (!stepwise)
				compress();
			else if (job.what == IDLE)
				rotate(&rotations, true);
			break;
		case 6: stop(choose(2)); break;
		case 7: start(); break;
		case 8: hold_up(); break;
		default: go_on(); break;
		}
	}
	clean();
	host_pass(&h, 70);
}

static void check_life(unsigned seed, bool stepwise)
{
	host_init(&h, seed % 2 ? "/tmp" : "/dev/shm");
	host_input(&h, "logs", seed % 3 ? "*.log" : "*", "");
	live(seed, stepwise);
	fprintf(stderr, "seed %u: %s\n", seed, history);
	host_expect_numbers(&h, "n", lines);
	ck_assert_uint_eq(host_lost(&h), 0);
	host_free(&h);
}

START_TEST(each_line_once)
{
	check_life(first_seed + (unsigned)_i, false);
}
END_TEST

START_TEST(each_line_once_step_by_step)
{
	check_life(first_seed + (unsigned)_i, true);
}
END_TEST

/* A copy was judged before it was known that its log was cut. */
START_TEST(cut_and_copied_in_one_turn)
{
	check_life(3013, true);
}
END_TEST

/* The registry knew how the file began, nothing of it had been shipped, and it was copied, emptied
 * and renamed while the agent was away. */
START_TEST(emptied_while_the_agent_was_away)
{
	check_life(3038, true);
}
END_TEST

/* What came to the new name of a known file was a copy that was still being made, shorter than the
 * head of what it is of. */
START_TEST(renamed_and_half_copied)
{
	check_life(35, true);
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
	tcase_add_loop_test(tcase, each_line_once_step_by_step, 0,
			    (int)(last_seed - first_seed + 1));
	tcase_add_test(tcase, cut_and_copied_in_one_turn);
	tcase_add_test(tcase, emptied_while_the_agent_was_away);
	tcase_add_test(tcase, renamed_and_half_copied);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
