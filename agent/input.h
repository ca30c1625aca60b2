/* An [input ...] section as the agent uses it: made once (a reload makes new ones), shared by all
 * its sources. */
#ifndef HAUL_AGENT_INPUT_H
#define HAUL_AGENT_INPUT_H

#include "agent/stamp/stamp.h"
#include "common/conf.h"

enum input_type { INPUT_FILE, INPUT_DOCKER, INPUT_CRI, INPUT_PODMAN, INPUT_JOURNAL };
enum input_from { INPUT_FROM_BEGINNING, INPUT_FROM_END };

struct filter;     /* keep, drop, mask: agent/lines/filter.h */
struct classifier; /* multiline: agent/lines/classify.h */

struct input {
	const char *name; /* of the section */
	enum input_type type;
	struct conf_list paths;   /* globs; none for a journal */
	const char *journal;      /* directory or glob of a journal; "" the one of this machine */
	struct conf_list exclude; /* globs; without a slash they are held against the base name */
	const char *service;      /* template; "" the type's default */
	enum input_from from;
	const char *rotated_dir; /* "" beside the file */
	bool remote;
	uint64_t max_line;
	struct stamp *stamp;
	struct classifier *classifier;
	struct filter *filter; /* NULL: everything goes */
	uint64_t lines_total, bytes_total, dropped_total,
		masked_total; /* counted here: see metrics */
};

#endif
