/* haul-collector's commands beside running: check, status, token, retain, reindex. Each returns the
 * exit code. */
#ifndef HAUL_COLLECTOR_COMMANDS_H
#define HAUL_COLLECTOR_COMMANDS_H

#include <stdbool.h>

struct commands_args {
	const char *config;
	bool config_optional;
	bool json, dry_run, renew, quiet;
	char **words; /* behind the command's name */
	int n_words;
};

int commands_check(const struct commands_args *args);
int commands_status(const struct commands_args *args);
int commands_token(const struct commands_args *args);

/* commands_archive.c */
int commands_retain(const struct commands_args *args);
int commands_reindex(const struct commands_args *args);

#endif
