/* haul: reads the archive. The commands have a file each; here the command line is taken, signals
 * are set, and the command's result becomes the exit code. */
#include "collector/query/count.h"
#include "collector/query/grep.h"
#include "collector/query/ls.h"
#include "collector/query/options.h"
#include "collector/query/patterns.h"
#include "collector/query/tail.h"
#include "collector/query/top.h"
#include "collector/query/trace.h"
#include "collector/query/verify.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

enum { EXIT_USAGE = 2 };

/* Set by SIGINT and SIGTERM: end with what was found. */
static atomic_bool stop;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&stop, true);
}

/* The first SIGINT ends the search, the second the program. A closed pipe is seen where it is
 * written to. */
static void set_signals(void)
{
	struct sigaction end = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* Live files are held open while they are searched: as many as may be. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int run(const struct options *o)
{
	switch (o->command) {
	case COMMAND_GREP: return grep_run(o, &stop);
	case COMMAND_TRACE: return trace_run(o, &stop);
	case COMMAND_TAIL: return tail_run(o, &stop);
	case COMMAND_COUNT: return count_run(o, &stop);
	case COMMAND_TOP: return top_run(o, &stop);
	case COMMAND_PATTERNS: return patterns_run(o, &stop);
	case COMMAND_LS: return ls_run(o, &stop);
	case COMMAND_VERIFY: return verify_run(o, &stop);
	case COMMANDS: break;
	}
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct options options;
	log_start("haul", LOG_LEVEL_INFO);
	switch (options_parse(argc, argv, &options)) {
	case OPTIONS_RUN: break;
	case OPTIONS_DONE: return fflush(stdout) == 0 ? 0 : 1;
	case OPTIONS_WRONG: return EXIT_USAGE;
	}
	set_signals();
	raise_descriptor_limit();
	return run(&options);
}
