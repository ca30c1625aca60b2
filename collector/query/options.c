/* The command line: see options.h. Called by main alone.
 *
 * Wrong usage is one line on stderr that names the option, the text and what would be right. */
#include "collector/query/options.h"

#include "collector/query/near.h"
#include "collector/query/timearg.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <getopt.h>
#include <stdlib.h>

#define BIT(command) (1U << (command))
#define ALL          (BIT(COMMANDS) - 1)
/* Those that print lines, those that print rows, those that search, those that take a pattern. */
#define LINES  (BIT(COMMAND_GREP) | BIT(COMMAND_TRACE) | BIT(COMMAND_TAIL))
#define ROWS   (BIT(COMMAND_COUNT) | BIT(COMMAND_TOP) | BIT(COMMAND_PATTERNS) | BIT(COMMAND_LS))
#define SEARCH (ALL & ~BIT(COMMAND_LS) & ~BIT(COMMAND_VERIFY))
#define SELECT (SEARCH & ~BIT(COMMAND_TRACE))

/* What an option does; those with a letter are known by it. */
enum id {
	ID_SERVICE = 's',
	ID_HOST = 'H',
	ID_WHERE = 'w',
	ID_FIXED = 'F',
	ID_IGNORE_CASE = 'i',
	ID_INVERT = 'v',
	ID_COUNT = 'c',
	ID_LIST = 'l',
	ID_AFTER = 'A',
	ID_BEFORE = 'B',
	ID_CONTEXT = 'C',
	ID_MAX = 'm',
	ID_OUTPUT = 'o',
	ID_LINES = 'n',
	ID_HELP = 'h',
	ID_VERSION = 'V',
	ID_DATA_DIR = 256,
	ID_SINCE,
	ID_UNTIL,
	ID_COLOUR,
	ID_NO_EVENTS,
	ID_FOLLOW_IDS,
	ID_BY,
	ID_EVERY,
	ID_NEW_SINCE,
	ID_NAMES,
	ID_PATH,
};

struct definition {
	enum id id;
	unsigned commands;
	const char *name;
	const char *argument; /* NULL: none */
	const char *help;
};

static const struct definition definitions[] = {
	{ID_SERVICE, ALL, "service", "GLOB",
	 "only services that match; may be given several times"},
	{ID_HOST, ALL, "host", "GLOB", "only hosts that match; may be given several times"},
	{ID_PATH, BIT(COMMAND_VERIFY), "path", "GLOB",
	 "only log files with such a path on their host; may be given several times"},
	{ID_SINCE, ALL, "since", "TIME",
	 "only lines of that time or later: 1h, 30m, yesterday, 2026-11-22T05:00"},
	{ID_UNTIL, ALL & ~BIT(COMMAND_TAIL), "until", "TIME", "only lines before that time"},
	{ID_WHERE, SEARCH, "where", "CONDITION",
	 "only lines whose field fulfils it: level=error, status>=500, path~^/api"},
	{ID_FIXED, SELECT, "fixed-strings", NULL, "PATTERN is a string, not an expression"},
	{ID_IGNORE_CASE, SELECT, "ignore-case", NULL, "upper and lower case are the same"},
	{ID_INVERT, SELECT, "invert-match", NULL, "lines that do not match"},
	{ID_COUNT, BIT(COMMAND_GREP), "count", NULL,
	 "print only how many lines match, over all files"},
	{ID_LIST, BIT(COMMAND_GREP), "files-with-matches", NULL,
	 "print only the paths of files with matches"},
	{ID_AFTER, BIT(COMMAND_GREP), "after-context", "N",
	 "also N lines of the shard that follow"},
	{ID_BEFORE, BIT(COMMAND_GREP), "before-context", "N", "also N lines of the shard before"},
	{ID_CONTEXT, BIT(COMMAND_GREP), "context", "N", "both"},
	{ID_MAX, LINES | BIT(COMMAND_TOP) | BIT(COMMAND_PATTERNS), "max-count", "N",
	 "stop after N matching lines; of top and patterns, N rows"},
	{ID_NO_EVENTS, LINES, "no-events", NULL,
	 "single lines, not the whole stack trace around them"},
	{ID_FOLLOW_IDS, BIT(COMMAND_TRACE), "follow-ids", NULL,
	 "go on with other request and trace ids found beside it"},
	{ID_LINES, BIT(COMMAND_TAIL), "lines", "N", "begin with the last N lines (10)"},
	{ID_BY, BIT(COMMAND_COUNT) | BIT(COMMAND_LS), "by", "FIELD",
	 "a row for each value: a field of the message, host, service (of ls: also day)"},
	{ID_EVERY, BIT(COMMAND_COUNT), "every", "TIME",
	 "a row for each span of time: 10s, 1m, 1h, 1d"},
	{ID_NEW_SINCE, BIT(COMMAND_PATTERNS), "new-since", "TIME",
	 "only patterns never seen before that time"},
	{ID_NAMES, BIT(COMMAND_LS), "names", "WHAT",
	 "only the names of services, hosts or days, without reading"},
	{ID_OUTPUT, ALL, "output", "FORMAT",
	 "text, json or raw; of rows: text, json or csv; of verify: text or json"},
	{ID_COLOUR, ALL, "color", "WHEN", "auto, always or never"},
	{ID_DATA_DIR, ALL, "data-dir", "DIR",
	 "where the archive is (HAUL_DATA_DIR, /var/log/haul)"},
	{ID_HELP, ALL, "help", NULL, "this text"},
	{ID_VERSION, ALL, "version", NULL, "the program's version"},
};

static const struct {
	const char *name, *arguments, *help;
} commands[COMMANDS] = {
	[COMMAND_GREP] = {"grep", "PATTERN",
			  "every line that matches, merged over hosts and services by time"},
	[COMMAND_TRACE] =
		{"trace", "ID",
		 "the story of one id: all its lines and whole events, in time order, with gaps"},
	[COMMAND_TAIL] = {"tail", "[PATTERN]",
			  "follow live, all shards or some, new ones as they appear"},
	[COMMAND_COUNT] = {"count", "[PATTERN]", "how many, over time or by a field"},
	[COMMAND_TOP] = {"top", "FIELD [PATTERN]", "most frequent values"},
	[COMMAND_PATTERNS] = {"patterns", "[PATTERN]",
			      "message templates with their counts, and which are new"},
	[COMMAND_LS] = {"ls", "", "services, hosts, days: lines, bytes, first and last time"},
	[COMMAND_VERIFY] = {"verify", "",
			    "is everything here: per log file what has arrived, gaps and losses; "
			    "and every file of the archive against its checksum"},
};

enum { N_DEFINITIONS = sizeof(definitions) / sizeof(*definitions) };

static bool has_letter(const struct definition *d)
{
	return d->id < 256 && d->id != ID_HELP && d->id != ID_VERSION;
}

/* --- help --- */

static void print_general_help(void)
{
	printf("Usage: haul [--data-dir DIR] COMMAND [OPTIONS] [ARGUMENTS]\n"
	       "Reads the archive of haul-collector.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-9s %-16s %s\n", commands[i].name, commands[i].arguments,
		       commands[i].help);
	printf("\n`haul COMMAND --help` lists a command's options; haul(1) has the whole story.\n");
}

static void print_command_help(enum command command)
{
	printf("Usage: haul %s [OPTIONS]%s%s\n%c%s.\n\n", commands[command].name,
	       *commands[command].arguments ? " " : "", commands[command].arguments,
	       commands[command].help[0] - 'a' + 'A', commands[command].help + 1);
	for (size_t i = 0; i < N_DEFINITIONS; i++) {
		const struct definition *d = &definitions[i];
		char name[64];
		if (!(d->commands & BIT(command)))
			continue;
		(void)snprintf(name, sizeof(name), "--%s%s%s", d->name, d->argument ? " " : "",
			       d->argument ? d->argument : "");
		if (has_letter(d))
			printf("  -%c, %-24s %s\n", d->id, name, d->help);
		else
			printf("      %-24s %s\n", name, d->help);
	}
}

void options_print_table(FILE *out)
{
	for (size_t c = 0; c < COMMANDS; c++)
		fprintf(out, "%s\t%s\t%s\n", commands[c].name, commands[c].arguments,
			commands[c].help);
	for (size_t i = 0; i < N_DEFINITIONS; i++) {
		const struct definition *d = &definitions[i];
		char letter[3] = {'-', has_letter(d) ? (char)d->id : '\0', '\0'};
		for (size_t c = 0; c < COMMANDS; c++)
			if (d->commands & BIT(c))
				fprintf(out, "%s\t%s\t--%s\t%s\t%s\n", commands[c].name,
					letter[1] ? letter : "", d->name,
					d->argument ? d->argument : "", d->help);
	}
}

/* --- values --- */

struct parser {
	struct options *options;
	int64_t now_us;
};

static bool wrong_value(const struct definition *d, const char *text, const char *wanted)
{
	log_error("--%s '%s': %s", d->name, text, wanted);
	return false;
}

static bool take_number(const struct definition *d, const char *text, uint64_t *ret)
{
	return num_parse_u64(span_of(text), ret) == 0 || wrong_value(d, text, "not a number");
}

static bool take_time(const struct parser *p, const struct definition *d, const char *text,
		      int64_t *ret)
{
	size_t at;
	if (timearg_parse(span_of(text), p->now_us, ret, &at) == 0)
		return true;
	log_error("--%s: not a time: %.*s <-- HERE %s (%s)", d->name, (int)at, text, text + at,
		  TIMEARG_FORMS);
	return false;
}

static bool take_item(const struct definition *d, const char *text, struct option_list *list)
{
	if (list->n == OPTIONS_LIST_MAX)
		return wrong_value(d, text, "too many of these");
	list->items[list->n++] = text;
	return true;
}

static bool take_word(const struct definition *d, const char *text, const char *const *words,
		      const char *wanted, unsigned *ret)
{
	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = i;
			return true;
		}
	}
	return wrong_value(d, text, wanted);
}

static bool take_output(const struct definition *d, enum command command, const char *text,
			enum output *ret)
{
	static const char *const lines[] = {"text", "json", "raw", NULL};
	static const char *const rows[] = {"text", "json", "csv", NULL};
	static const char *const both[] = {"text", "json", NULL};
	bool is_rows = BIT(command) & ROWS;
	unsigned i;
	if (command == COMMAND_VERIFY) {
		if (!take_word(d, text, both, "text or json is possible", &i))
			return false;
		*ret = (enum output)i;
		return true;
	}
	if (!take_word(d, text, is_rows ? rows : lines,
		       is_rows ? "text, json or csv is possible" : "text, json or raw is possible",
		       &i))
		return false;
	*ret = i < 2 ? (enum output)i : is_rows ? OUTPUT_CSV : OUTPUT_RAW;
	return true;
}

static bool take_option(struct parser *p, const struct definition *d, const char *text)
{
	static const char *const whens[] = {"auto", "always", "never", NULL};
	static const char *const names[] = {"", "services", "hosts", "days", NULL};
	struct options *o = p->options;
	unsigned word;
	switch (d->id) {
	case ID_SERVICE: return take_item(d, text, &o->services);
	case ID_HOST: return take_item(d, text, &o->hosts);
	case ID_PATH: return take_item(d, text, &o->paths);
	case ID_WHERE: return take_item(d, text, &o->wheres);
	case ID_BY: return take_item(d, text, &o->by);
	case ID_SINCE: return take_time(p, d, text, &o->since_us);
	case ID_UNTIL: return take_time(p, d, text, &o->until_us);
	case ID_NEW_SINCE: return take_time(p, d, text, &o->new_since_us);
	case ID_FIXED: return o->fixed = true;
	case ID_IGNORE_CASE: return o->ignore_case = true;
	case ID_INVERT: return o->invert = true;
	case ID_COUNT: return o->count = true;
	case ID_LIST: return o->list_files = true;
	case ID_NO_EVENTS: return o->no_events = true;
	case ID_FOLLOW_IDS: return o->follow_ids = true;
	case ID_AFTER: return take_number(d, text, &o->after);
	case ID_BEFORE: return take_number(d, text, &o->before);
	case ID_CONTEXT:
		if (!take_number(d, text, &o->before))
			return false;
		o->after = o->before;
		return true;
	case ID_MAX:
		if (!take_number(d, text, &o->max))
			return false;
		return o->max || wrong_value(d, text, "at least 1");
	case ID_LINES: return take_number(d, text, &o->backlog);
	case ID_EVERY:
		return timearg_parse_every(span_of(text), &o->every_us) == 0 ||
		       wrong_value(d, text, "not a length of time (10s, 1m, 1h, 1d)");
	case ID_OUTPUT: return take_output(d, o->command, text, &o->output);
	case ID_COLOUR:
		if (!take_word(d, text, whens, "auto, always or never is possible", &word))
			return false;
		o->colour = (enum colour)word;
		return true;
	case ID_NAMES:
		if (!take_word(d, text, names, "services, hosts or days is possible", &word))
			return false;
		o->names = (enum names)word;
		return true;
	case ID_DATA_DIR: o->data_dir = text; return true;
	case ID_HELP:
	case ID_VERSION: return true;
	}
	return false;
}

/* --- the line --- */

static const struct definition *definition_of(int id)
{
	for (size_t i = 0; i < N_DEFINITIONS; i++)
		if ((int)definitions[i].id == id)
			return &definitions[i];
	return NULL;
}

/* getopt's two views of the table, for one command. */
struct known {
	char letters[2 + 2 * N_DEFINITIONS + 1];
	struct option names[N_DEFINITIONS + 1];
};

static void make_known(enum command command, struct known *ret)
{
	size_t letters = 0, names = 0;
	*ret = (struct known){.letters = ""};
	ret->letters[letters++] = ':';
	for (size_t i = 0; i < N_DEFINITIONS; i++) {
		const struct definition *d = &definitions[i];
		if (!(d->commands & BIT(command)))
			continue;
		if (has_letter(d)) {
			ret->letters[letters++] = (char)d->id;
			if (d->argument)
				ret->letters[letters++] = ':';
		}
		ret->names[names++] =
			(struct option){d->name, d->argument != NULL, NULL, (int)d->id};
	}
}

static enum options_result take_arguments(struct options *o, char **argv, int n)
{
	const char **wanted[2] = {NULL, &o->pattern};
	const char *missing = NULL;
	switch (o->command) {
	case COMMAND_GREP:
		if (o->wheres.n == 0)
			missing = "PATTERN (or a condition, -w)";
		break;
	case COMMAND_TRACE:
		wanted[0] = &o->id;
		wanted[1] = NULL;
		missing = "ID";
		break;
	case COMMAND_TOP:
		wanted[0] = &o->field;
		missing = "FIELD";
		break;
	case COMMAND_LS:
	case COMMAND_VERIFY: wanted[1] = NULL; break;
	case COMMAND_TAIL:
	case COMMAND_COUNT:
	case COMMAND_PATTERNS:
	case COMMANDS: break;
	}
	int taken = 0;
	for (size_t i = 0; i < 2; i++)
		if (wanted[i] && taken < n)
			*wanted[i] = argv[taken++];
	if (taken < n)
		log_error("%s: one argument too many: '%s'", commands[o->command].name,
			  argv[taken]);
	else if (taken == 0 && missing)
		log_error("%s: %s is missing", commands[o->command].name, missing);
	else
		return OPTIONS_RUN;
	return OPTIONS_WRONG;
}

static enum options_result check(const struct options *o)
{
	if (o->since_us != INT64_MIN && o->since_us >= o->until_us) {
		log_error("--since is not before --until: there is no such time");
		return OPTIONS_WRONG;
	}
	if (o->id && !*o->id) {
		log_error("trace: ID is empty");
		return OPTIONS_WRONG;
	}
	return OPTIONS_RUN;
}

/* The options of a command that are like what was typed. */
static const char *near_option(enum command command, const char *typed, char text[NEAR_TEXT_MAX])
{
	struct near near = {.distance = 0};
	struct span name = span_first(span_of(typed), span_find(span_of(typed), '='));
	for (size_t i = 0; i < N_DEFINITIONS; i++) {
		char word[NEAR_LEN];
		(void)snprintf(word, sizeof(word), "--%s", definitions[i].name);
		if (definitions[i].commands & BIT(command))
			near_offer(&near, name, span_of(word));
	}
	return near_text(&near, text);
}

static enum options_result wrong_option(const struct options *o, int c, char **argv)
{
	const char *name = commands[o->command].name;
	const char *text = argv[optind - 1];
	char near[NEAR_TEXT_MAX];
	bool is_long = strncmp(text, "--", 2) == 0;
	if (c == ':')
		log_error("%s: %s needs a value", name, text);
	else if (is_long || !optopt)
		log_error("%s: unknown option %s%s; haul %s --help lists them", name, text,
			  near_option(o->command, text, near), name);
	else
		log_error("%s: unknown option -%c; haul %s --help lists them", name, optopt, name);
	return OPTIONS_WRONG;
}

static enum options_result parse_command(int argc, char **argv, struct parser *p)
{
	struct options *o = p->options;
	struct known known;
	make_known(o->command, &known);
	optind = 1;
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, known.letters, known.names, NULL)) != -1;) {
		const struct definition *d = definition_of(c);
		if (!d)
			return wrong_option(o, c, argv);
		if (d->id == ID_HELP) {
			print_command_help(o->command);
			return OPTIONS_DONE;
		}
		if (d->id == ID_VERSION) {
			printf("haul %s\n", HAUL_VERSION);
			return OPTIONS_DONE;
		}
		if (!take_option(p, d, optarg))
			return OPTIONS_WRONG;
	}
	o->context = o->before || o->after;
	enum options_result r = take_arguments(o, argv + optind, argc - optind);
	return r == OPTIONS_RUN ? check(o) : r;
}

/* What stands before the command: --data-dir, --help, --version. Moves *at to the command. */
static enum options_result parse_front(int argc, char **argv, int *at, struct options *o)
{
	for (; *at < argc && argv[*at][0] == '-'; (*at)++) {
		const char *text = argv[*at];
		if (strcmp(text, "--help") == 0) {
			print_general_help();
			return OPTIONS_DONE;
		}
		if (strcmp(text, "--version") == 0) {
			printf("haul %s\n", HAUL_VERSION);
			return OPTIONS_DONE;
		}
		if (strncmp(text, "--data-dir=", 11) == 0) {
			o->data_dir = text + 11;
		} else if (strcmp(text, "--data-dir") == 0) {
			if (*at + 1 == argc) {
				log_error("--data-dir needs a value");
				return OPTIONS_WRONG;
			}
			o->data_dir = argv[++*at];
		} else {
			log_error("unknown option %s before the command (haul --help)", text);
			return OPTIONS_WRONG;
		}
	}
	if (*at == argc) {
		log_error("no command (haul --help lists them)");
		return OPTIONS_WRONG;
	}
	return OPTIONS_RUN;
}

enum options_result options_parse(int argc, char **argv, struct options *ret)
{
	const char *dir = getenv("HAUL_DATA_DIR");
	*ret = (struct options){.data_dir = dir && *dir ? dir : "/var/log/haul",
				.since_us = INT64_MIN,
				.until_us = INT64_MAX,
				.new_since_us = INT64_MIN,
				.backlog = 10};
	struct parser p = {.options = ret, .now_us = clock_real_ns() / NUM_US_NS};
	int at = 1;
	enum options_result r = parse_front(argc, argv, &at, ret);
	if (r != OPTIONS_RUN)
		return r;
	struct near near = {.distance = 0};
	char text[NEAR_TEXT_MAX];
	for (size_t i = 0; i < COMMANDS; i++) {
		near_offer(&near, span_of(argv[at]), span_of(commands[i].name));
		if (strcmp(argv[at], commands[i].name) == 0) {
			ret->command = (enum command)i;
			return parse_command(argc - at, argv + at, &p);
		}
	}
	log_error("unknown command '%s'%s; haul --help lists them", argv[at],
		  near_text(&near, text));
	return OPTIONS_WRONG;
}
