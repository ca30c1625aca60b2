/* What the parts of the configuration reader say to each other; nobody else includes this.
 *
 *     conf.c        what was read, for the programs; files and the .d directory
 *     conf_parse.c  lines of one text: sections, keys, continuations, and what is wrong with them
 *     conf_value.c  one value of each type: from text, to text */
#ifndef HAUL_COMMON_CONF_PARTS_H
#define HAUL_COMMON_CONF_PARTS_H

#include "common/conf.h"

/* One [section] or [section name]. All is owned by it. */
struct conf_instance {
	char *name;   /* "" unnamed */
	char *where;  /* FILE:LINE of its header; NULL: it is in no file */
	void *data;   /* the section's struct */
	char **given; /* per option FILE:LINE of the key, NULL: not given */
};

/* All instances of one section of the table. */
struct conf_group {
	const struct conf_section *section;
	struct conf_instance *instances;
	size_t n;
};

struct conf {
	size_t n_groups;
	struct conf_group groups[];
};

/* --- conf.c --- */

/* Adds an instance that has its defaults. Takes no ownership of `name` and `where`. The pointer is
 * good until the next one is added. */
int conf_add_instance(struct conf_group *g, struct span name, const char *where,
		      struct conf_instance **ret) MUST_CHECK;

/* --- conf_parse.c --- */

/* Reads one file's text into `c`. -EINVAL with `err`, or -ENOMEM with `err`. */
int conf_parse(struct conf *c, const char *file, struct span text,
	       struct conf_error *err) MUST_CHECK;

/* --- conf_value.c --- */

/* Why a value was not taken; a part of a sentence that follows the key. */
struct conf_why {
	char text[256];
};

/* What the option's field in the section's struct `data` is. */
void *conf_field(const struct conf_option *o, void *data);

/* Gives the field its default. The field is zero before. */
int conf_value_default(const struct conf_option *o, void *field) MUST_CHECK;

/* Parses a value; list types gain its items. -EINVAL with `why`, -ENOMEM. */
int conf_value_parse(const struct conf_option *o, struct span text, void *field,
		     struct conf_why *why) MUST_CHECK;

/* Frees what the field points to and zeroes it. */
void conf_value_clear(const struct conf_option *o, void *field);

static inline bool conf_is_list(const struct conf_option *o)
{
	return o->type == CONF_LIST || o->type == CONF_STRINGS;
}

/* Appends one `key = value` line, for list types one for each item. */
int conf_value_print(const struct conf_option *o, const void *field, struct buf *out) MUST_CHECK;

#endif
