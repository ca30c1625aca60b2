/* haul-agent: the command line. See haul-agent(8). */
#include "agent/agent.h"
#include "agent/check.h"
#include "agent/files/discover.h"
#include "agent/join.h"
#include "agent/setup.h"
#include "agent/status.h"
#include "agent/verify.h"
#include "common/log.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

static const char usage[] =
	"usage: haul-agent [-c FILE]                  follow files and send them to the "
	"collector\n"
	"       haul-agent check [-c FILE] [--quiet]  show the configuration and what "
	"would be followed\n"
	"       haul-agent status [-c FILE] [--json]  show how far each file is\n"
	"       haul-agent explain [-c FILE] PATH     say why a file is or is not "
	"followed\n"
	"       haul-agent verify [-c FILE] PATH      say which bytes of a file the collector has\n"
	"       haul-agent join [-c FILE] URL         enrol this host at a collector\n"
	"       haul-agent --help | --version\n";

struct command_line {
	const char *command; /* "run" when none is given */
	const char *file;    /* of the configuration; NULL: the default one */
	const char *operand; /* explain, verify: PATH; join: URL */
	bool json, quiet;
};

static int wrong_usage(const char *what, const char *word)
{
	fprintf(stderr, "haul-agent: %s%s%s\n%s", what, word ? ": " : "", word ? word : "", usage);
	return EXIT_USAGE;
}

/* Returns -1, or the code to exit with. */
static int parse(int argc, char **argv, struct command_line *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'},        {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
	};
	*ret = (struct command_line){.command = "run"};
	for (int c; (c = getopt_long(argc, argv, "c:hqV", options, NULL)) != -1;) {
		switch (c) {
		case 'c': ret->file = optarg; break;
		case 'j': ret->json = true; break;
		case 'q': ret->quiet = true; break;
		case 'h': (void)fputs(usage, stdout); return EXIT_DONE;
		case 'V': puts("haul-agent " HAUL_VERSION); return EXIT_DONE;
		default: (void)fputs(usage, stderr); return EXIT_USAGE;
		}
	}
	if (optind < argc)
		ret->command = argv[optind++];
	bool is_join = strcmp(ret->command, "join") == 0;
	bool takes_path =
		strcmp(ret->command, "explain") == 0 || strcmp(ret->command, "verify") == 0;
	if (is_join || takes_path) {
		if (optind == argc)
			return wrong_usage(is_join ? "join needs a URL" : "a PATH is missing",
					   NULL);
		ret->operand = argv[optind++];
	}
	if (optind < argc)
		return wrong_usage("one argument too many", argv[optind]);
	if (ret->json && strcmp(ret->command, "status") != 0)
		return wrong_usage("--json belongs to status", NULL);
	if (ret->quiet && strcmp(ret->command, "check") != 0)
		return wrong_usage("--quiet belongs to check", NULL);
	return -1;
}

static struct discover_config discover_config(const struct setup *s)
{
	return (struct discover_config){.inputs = s->inputs.items, .n_inputs = s->inputs.n};
}

static int explain(const struct setup *s, const char *path)
{
	struct buf out = BUF_EMPTY;
	struct discover_config dc = discover_config(s);
	char absolute[PATH_MAX];
	int r = discover_explain(&dc, path, &out);
	if (r == 0)
		r = discover_absolute(path, absolute);
	if (r == 0)
		r = status_explain(s->agent->listen, absolute, &out);
	if (r == 0)
		(void)fwrite(out.ptr, 1, out.len, stdout);
	else
		log_error("explain %s: %s", path, strerror(-r));
	buf_free(&out);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct command_line line;
	log_start("haul-agent", LOG_LEVEL_INFO);
	int code = parse(argc, argv, &line);
	if (code >= 0)
		return code;
	if (strcmp(line.command, "run") == 0)
		return agent_run(line.file);
	if (strcmp(line.command, "join") == 0)
		return join_run(line.file, line.operand);

	struct setup setup;
	struct conf_error err;
	bool is_check = strcmp(line.command, "check") == 0;
	bool is_status = strcmp(line.command, "status") == 0;
	bool is_explain = strcmp(line.command, "explain") == 0;
	bool is_verify = strcmp(line.command, "verify") == 0;
	if (!is_check && !is_status && !is_explain && !is_verify)
		return wrong_usage("unknown command", line.command);
	if (setup_read(line.file, &setup, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_CONFIG;
	}
	if (is_check)
		code = check_run(&setup, line.quiet);
	else if (is_status)
		code = status_show(setup.agent->listen, line.json);
	else if (is_explain)
		code = explain(&setup, line.operand);
	else
		code = verify_run(&setup, line.operand);
	setup_free(&setup);
	return code;
}
