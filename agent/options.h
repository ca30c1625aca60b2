/* The agent's options: the structs that configuration files fill, defined by the tables in
 * options.c. */
#ifndef HAUL_AGENT_OPTIONS_H
#define HAUL_AGENT_OPTIONS_H

#include "common/conf.h"

#define OPTIONS_DEFAULT_FILE "/etc/haul/agent.conf"

struct agent_options {
	const char *host;
	const char *state_dir;
	const char *listen;
	uint64_t memory_limit;
	uint64_t max_open_files;
	uint64_t max_deleted;
};

struct collector_options {
	struct conf_list urls;
	const char *token_file, *ca_file, *pin, *client_cert, *client_key;
	const char *uuid;
	uint64_t batch_bytes;
	int64_t batch_delay_ns;
	int64_t timeout_ns;
	uint64_t max_rate;
	bool failover;
};

struct input_options {
	int type; /* enum input_type */
	struct conf_list paths, exclude;
	const char *service;
	int from; /* enum input_from */
	const char *rotated_dir;
	bool remote;
	const char *multiline;
	const char *timestamp;
	const char *timezone;
	uint64_t max_line;
	struct conf_list keep, drop, mask;
};

extern const struct conf_section options_sections[];
extern const size_t options_n_sections;

/* Reads FILE (NULL: the default one, which may be missing) and what stands in its .d directory.
 * Errors: -EINVAL and -errno, with `err`. */
int options_read(const char *file, struct conf **ret, struct conf_error *err) MUST_CHECK;

#endif
