/* From [input] sections to inputs: see inputs.h. Called at start, at a reload and by check:
 * whatever can be wrong with a pattern or a zone is found here, before anything is followed. */
#include "agent/inputs.h"

#include "agent/files/service_name.h"
#include "agent/lines/classify.h"
#include "agent/lines/filter.h"
#include "agent/options.h"
#include "agent/syslogd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LIST(a)                                                                                    \
	{                                                                                          \
		a, COUNT(a)                                                                        \
	}

/* Where the container runtimes keep their logs. The names of rotated files are not among them: what
 * they were read under is known. */
static char *docker_paths[] = {"/var/lib/docker/containers/*/*-json.log"};
static char *cri_paths[] = {"/var/log/pods/*/*/*.log"};
static char *podman_paths[] = {
	"/var/lib/containers/storage/*-containers/*/userdata/ctr.log",
	"/home/*/.local/share/containers/storage/*-containers/*/userdata/ctr.log",
};

/* Whatever else there is not text is left out by looking at it. */
static char *var_log_paths[] = {"/var/log/**"};
static char *var_log_exclude[] = {
	"/var/log/journal/**",
	"/var/log/pods/**",
	"/var/log/containers/**",
	"*.gz",
	"*.xz",
	"*.bz2",
	"*.zst",
	"*.old",
	"*.[0-9]",
	"*.[0-9][0-9]",
	"*-20[0-9][0-9][0-9][0-9][0-9][0-9]",
};

#define DEFAULTS                                                                                   \
	.service = "", .from = INPUT_FROM_BEGINNING, .rotated_dir = "", .multiline = "auto",       \
	.timestamp = "auto", .timezone = "local", .max_line = 1024 * 1024

/* What is followed when nothing is configured. */
static const struct {
	const char *name;
	struct input_options options;
} unconfigured[] = {
	{"docker", {.type = INPUT_DOCKER, DEFAULTS}},
	{"cri", {.type = INPUT_CRI, DEFAULTS}},
	{"podman", {.type = INPUT_PODMAN, DEFAULTS}},
	{"var-log",
	 {.type = INPUT_FILE,
	  .paths = LIST(var_log_paths),
	  .exclude = LIST(var_log_exclude),
	  DEFAULTS}},
	{"journal", {.type = INPUT_JOURNAL, DEFAULTS}}, /* the last one: see count_unconfigured */
};

/* The paths of a type that has its own. */
static struct conf_list paths_of(enum input_type type)
{
	switch (type) {
	case INPUT_DOCKER: return (struct conf_list)LIST(docker_paths);
	case INPUT_CRI: return (struct conf_list)LIST(cri_paths);
	case INPUT_PODMAN: return (struct conf_list)LIST(podman_paths);
	case INPUT_FILE:
	case INPUT_JOURNAL: break;
	}
	return (struct conf_list){NULL, 0};
}

static int input_new(const struct input_options *o, const char *name, struct input *in,
		     char *ret_why, size_t why_size)
{
	struct stamp *stamp = NULL;
	struct classifier *classifier = NULL;
	struct filter *filter = NULL;
	const char *why = NULL;
	char text[256] = "";

	bool is_journal = o->type == INPUT_JOURNAL;
	*in = (struct input){
		.name = name,
		.type = (enum input_type)o->type,
		.paths = o->paths.n && !is_journal ? o->paths : paths_of((enum input_type)o->type),
		.journal = is_journal && o->paths.n ? o->paths.items[0] : "",
		.exclude = o->exclude,
		.service = o->service,
		.from = (enum input_from)o->from,
		.rotated_dir = o->rotated_dir,
		.remote = o->remote,
		.max_line = o->max_line,
	};
	if (in->type == INPUT_FILE && !in->paths.n) {
		(void)snprintf(ret_why, why_size, "path is missing");
		return -EINVAL;
	}
	if (is_journal && o->paths.n > 1) {
		(void)snprintf(ret_why, why_size,
			       "a journal has one path: one directory, or one glob");
		return -EINVAL;
	}
	if (service_template_check(in->type, in->service, &why) < 0) {
		(void)snprintf(ret_why, why_size, "service = %s: %s", in->service, why);
		return -EINVAL;
	}
	int r = stamp_new(o->timestamp, o->timezone, &stamp, &why);
	in->stamp = stamp;
	if (r == -EINVAL)
		(void)snprintf(ret_why, why_size, "timestamp or timezone: %s", why);
	if (r == 0) {
		r = classifier_new(o->multiline, &classifier, text, sizeof(text));
		in->classifier = classifier;
		if (r == -EINVAL)
			(void)snprintf(ret_why, why_size, "multiline = %s: %s", o->multiline, text);
	}
	if (r == 0) {
		r = filter_new(&o->keep, &o->drop, &o->mask, &filter, ret_why, why_size);
		in->filter = filter;
	}
	return r;
}

/* Two readers of one journal would not know whose streams the collector has. */
static const struct input *same_journal(const struct inputs *in, const struct input *of)
{
	for (size_t i = 0; i < in->n; i++)
		if (of->type == INPUT_JOURNAL && in->items[i].type == INPUT_JOURNAL &&
		    strcmp(in->items[i].journal, of->journal) == 0)
			return &in->items[i];
	return NULL;
}

/* How many of them hold on this machine: nothing is to be followed twice. */
static int count_unconfigured(struct inputs *in, size_t *ret)
{
	struct buf why = BUF_EMPTY;
	int r = syslogd_find(&why);
	*ret = COUNT(unconfigured) - (r > 0 ? 1 : 0);
	if (r > 0 && !buf_cstr(&why))
		r = -ENOMEM;
	if (r > 0)
		in->no_journal = why.ptr;
	else
		buf_free(&why);
	return r < 0 ? r : 0;
}

int inputs_new(const struct conf *conf, struct inputs *ret, struct conf_error *err)
{
	size_t n = conf_count(conf, "input");
	size_t made = n;
	struct inputs in = {0};
	int e = n ? 0 : count_unconfigured(&in, &made);
	if (e == 0)
		in.items = calloc(made, sizeof(struct input));
	if (!in.items) {
		inputs_free(&in);
		return -ENOMEM;
	}
	for (size_t i = 0; i < made; i++) {
		char why[400] = "out of memory";
		const struct input_options *o =
			n ? conf_get(conf, "input", i) : &unconfigured[i].options;
		const char *name = n ? conf_section_name(conf, "input", i) : unconfigured[i].name;
		int r = input_new(o, name, &in.items[i], why, sizeof(why));
		const struct input *other = r == 0 ? same_journal(&in, &in.items[i]) : NULL;
		if (other) {
			(void)snprintf(why, sizeof(why), "input %s reads this journal already",
				       other->name);
			r = -EINVAL;
		}
		in.n++;
		if (r < 0) {
			(void)snprintf(err->text, sizeof(err->text), "%s: [input %s]: %s",
				       n ? conf_where(conf, "input", i) : "default", name, why);
			inputs_free(&in);
			return r;
		}
	}
	*ret = in;
	return 0;
}

void inputs_free(struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++) {
		stamp_free(in->items[i].stamp);
		classifier_free(in->items[i].classifier);
		filter_free(in->items[i].filter);
	}
	free(in->items);
	free(in->no_journal);
	*in = (struct inputs){0};
}
