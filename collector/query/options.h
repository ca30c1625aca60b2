/* The command line. The table in options.c is the only place where an option is defined: parser,
 * --help, completion and the list in the manual page follow it (a test holds the page against
 * it). */
#ifndef HAUL_COLLECTOR_QUERY_OPTIONS_H
#define HAUL_COLLECTOR_QUERY_OPTIONS_H

#include "common/buf.h"

#include <stdint.h>
#include <stdio.h>

#define OPTIONS_LIST_MAX 64 /* of -s, -H, --path, -w, --by */

enum command {
	COMMAND_GREP,
	COMMAND_TRACE,
	COMMAND_TAIL,
	COMMAND_COUNT,
	COMMAND_TOP,
	COMMAND_PATTERNS,
	COMMAND_LS,
	COMMAND_VERIFY,
	COMMANDS,
};

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_RAW, OUTPUT_CSV };

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

/* What ls --names names. */
enum names { NAMES_NONE, NAMES_SERVICES, NAMES_HOSTS, NAMES_DAYS };

struct option_list {
	const char *items[OPTIONS_LIST_MAX];
	size_t n;
};

struct options {
	enum command command;
	const char *data_dir;
	const char *pattern; /* NULL: none was given */
	const char *id;      /* trace */
	const char *field;   /* top */
	struct option_list services, hosts, paths, wheres, by;
	int64_t since_us, until_us, new_since_us; /* INT64_MIN, INT64_MAX, INT64_MIN: not given */
	bool fixed, ignore_case, invert, count, list_files, no_events, follow_ids;
	bool context; /* -A, -B or -C was given and is not 0 */
	uint64_t before, after;
	uint64_t max;     /* 0: no limit */
	uint64_t backlog; /* tail -n */
	int64_t every_us; /* 0: not given */
	enum output output;
	enum colour colour;
	enum names names;
};

enum options_result {
	OPTIONS_RUN,   /* do what the command says */
	OPTIONS_DONE,  /* --help or --version was answered */
	OPTIONS_WRONG, /* wrong usage, which has been told */
};

/* Strings point into argv and the environment. */
enum options_result options_parse(int argc, char **argv, struct options *ret);

/* The table as text for tests and completion: one line an option of the command,
 * "-s\t--service\tGLOB\t help"; commands likewise. */
void options_print_table(FILE *out);

#endif
