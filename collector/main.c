/* haul-collector: takes batches of log lines from agents and keeps them. This file reads the
 * command line and says what to do; collector.c runs, commands.c does the rest. */
#include "collector/collector.h"
#include "collector/commands.h"
#include "collector/init.h"
#include "collector/options.h"
#include "common/log.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 };

/* Batches are large and die young. One heap for all threads, whose pages are used again: with a
 * heap each the freed pages of one thread are of no use to the others (measured with 1,000 agents:
 * 320 MiB against 212, and a tenth more CPU), and memory straight from the kernel costs a page
 * fault every 4 KiB (0.8 CPU seconds a GiB). */
enum { HEAPS = 1, MMAP_THRESHOLD = 1 << 20, TRIM_THRESHOLD = 8 << 20 };

static const char help[] =
	"usage: haul-collector [-c FILE] [COMMAND]\n"
	"\n"
	"Takes log lines from haul agents and keeps them as plain files. Without a command\n"
	"it runs until SIGTERM; SIGHUP reads the configuration again.\n"
	"\n"
	"  check [--quiet]    read the configuration and print it as it stands\n"
	"  status [--json]    what the running collector is doing\n"
	"  init [NAME...]     make an authority and a certificate for TLS, for those who have "
	"none\n"
	"  token add HOST     make a token for a host (or a glob of hosts), print its join string\n"
	"  token list         for which hosts there are tokens\n"
	"  token revoke HOST  take the tokens of a host away\n"
	"  retain --dry-run   what retention would delete now\n"
	"  reindex            have the index of the archive made anew\n"
	"\n"
	"  -c, --config FILE  read FILE, then FILE.d/*.conf\n"
	"                     (default " OPTIONS_DEFAULT_FILE ")\n"
	"  -h, --help; -V, --version\n"
	"\n"
	"Exit: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.\n";

static int run_collector(const struct commands_args *args)
{
	struct options *o = NULL;
	struct conf_error err = {"no memory"};
	int r = options_read(args->config, args->config_optional, &o, &err);
	if (r == 0)
		r = options_check(o, &err);
	if (r < 0) {
		log_error("%s", err.text);
		options_free(o);
		return EXIT_CONFIG;
	}
	(void)mallopt(M_ARENA_MAX, HEAPS);
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	(void)mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
	return collector_run(o, args->config, args->config_optional);
}

static int run_command(const char *name, const struct commands_args *args)
{
	if (args->json && (!name || strcmp(name, "status") != 0))
		return fputs("haul-collector: --json goes with status only\n", stderr), EXIT_USAGE;
	if (args->quiet && (!name || strcmp(name, "check") != 0))
		return fputs("haul-collector: --quiet goes with check only\n", stderr), EXIT_USAGE;
	if (args->dry_run && (!name || strcmp(name, "retain") != 0))
		return fputs("haul-collector: --dry-run goes with retain only\n", stderr),
		       EXIT_USAGE;
	if (args->renew && (!name || strcmp(name, "init") != 0))
		return fputs("haul-collector: --renew goes with init only\n", stderr), EXIT_USAGE;
	if (!name)
		return run_collector(args);
	if (strcmp(name, "check") == 0)
		return commands_check(args);
	if (strcmp(name, "status") == 0)
		return commands_status(args);
	if (strcmp(name, "init") == 0)
		return init_run(args);
	if (strcmp(name, "token") == 0)
		return commands_token(args);
	if (strcmp(name, "retain") == 0)
		return commands_retain(args);
	if (strcmp(name, "reindex") == 0)
		return commands_reindex(args);
	(void)fprintf(stderr, "haul-collector: unknown command %s; see haul-collector --help\n",
		      name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	enum { OPT_HELP = 256, OPT_VERSION, OPT_JSON, OPT_DRY_RUN, OPT_RENEW };
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"help", no_argument, NULL, OPT_HELP},
					      {"version", no_argument, NULL, OPT_VERSION},
					      {"json", no_argument, NULL, OPT_JSON},
					      {"dry-run", no_argument, NULL, OPT_DRY_RUN},
					      {"renew", no_argument, NULL, OPT_RENEW},
					      {"quiet", no_argument, NULL, 'q'},
					      {NULL, 0, NULL, 0}};
	struct commands_args args = {.config = OPTIONS_DEFAULT_FILE, .config_optional = true};
	int option;
	log_start("haul-collector", LOG_LEVEL_INFO);
	while ((option = getopt_long(argc, argv, "c:hqV", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			args.config = optarg;
			args.config_optional = false;
			break;
		case 'q': args.quiet = true; break;
		case OPT_JSON: args.json = true; break;
		case OPT_DRY_RUN: args.dry_run = true; break;
		case OPT_RENEW: args.renew = true; break;
		case 'h':
		case OPT_HELP: return fputs(help, stdout) < 0;
		case OPT_VERSION: return puts("haul-collector " HAUL_VERSION) < 0;
		default: return EXIT_USAGE;
		}
	}
	const char *name = optind < argc ? argv[optind] : NULL;
	if (name) {
		args.words = argv + optind + 1;
		args.n_words = argc - optind - 1;
	}
	return run_command(name, &args);
}
