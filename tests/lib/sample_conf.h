/* A table of options that has every type, for tests of the configuration reader. */
#ifndef HAUL_TESTS_LIB_SAMPLE_CONF_H
#define HAUL_TESTS_LIB_SAMPLE_CONF_H

#include "common/conf.h"

struct sample_agent {
	char *host;
	uint64_t memory_limit;
	uint64_t max_open_files;
	int64_t interval_ns;
	bool remote;
	int type;
	struct conf_amount min_free;
	char *url;
	uint64_t max_rate;
};

struct sample_input {
	struct conf_list path;
	struct conf_list keep;
	struct conf_list exclude;
	char *service;
};

struct sample_retention {
	int64_t max_age_ns;
};

enum { SAMPLE_SECTIONS = 3 };

extern const struct conf_section
	sample_sections[SAMPLE_SECTIONS]; /* agent once, input named, retention both */

/* Reads a text that has no mistake. The caller frees. */
struct conf *sample_read_span(struct span text);
struct conf *sample_read(const char *text);

const struct sample_agent *sample_agent_of(const struct conf *c);
/* The items, parted by |. Valid until the next call. */
const char *sample_items(const struct conf_list *list);
/* Prints, reads that, prints again: the same. Returns what was printed; the caller frees. */
struct buf sample_prints_back(const struct conf *c);

#endif
