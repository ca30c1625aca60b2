/* Configuration: INI files read over option tables. A table is the only place where an option is
 * defined: the struct's fields, the parser, the defaults, what `check` prints and the list in the
 * man page come from it (a test holds the man page against it).
 *
 *     # a comment          a whole line whose first character is # or ; (blanks before it are fine)
 *     [section]            or  [section name]
 *     key = value          a # inside a value is part of it
 *         further value    a line that starts with white space goes on with a list
 *
 * Lines are at most 4096 bytes; a CR before the LF and a byte order mark at the start are skipped.
 * An unknown section or key, a key given twice where one is meant (also across files), a named
 * section given twice, or a bad value is an error that begins with FILE:LINE. [section] without a
 * name may stand in several places and files. */
#ifndef HAUL_COMMON_CONF_H
#define HAUL_COMMON_CONF_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define CONF_LINE_MAX 4096

enum conf_type {
	CONF_STRING,   /* char *; "" when empty */
	CONF_LIST,     /* struct conf_list: parted by blanks, several lines, key may repeat */
	CONF_STRINGS,  /* struct conf_list: one a line (regular expressions), key may
			  repeat */
	CONF_SIZE,     /* uint64_t bytes; empty: 0 */
	CONF_DURATION, /* int64_t ns; empty: 0 */
	CONF_UINT,     /* uint64_t */
	CONF_BOOL,     /* bool: yes|no, true|false, on|off, 1|0 */
	CONF_ENUM,     /* int: index into `words` */
	CONF_PERCENT_OR_SIZE, /* struct conf_amount */
};

struct conf_list {
	char **items; /* owned, as is each item */
	size_t n;
};

struct conf_amount {
	bool is_percent;
	uint64_t value; /* percent 0 to 100, or bytes */
};

struct conf_option {
	const char *key;
	enum conf_type type;
	size_t offset;            /* of the field in the section's struct */
	const char *default_text; /* parsed like a value; NULL: empty */
	const char *const *words; /* CONF_ENUM: the values, NULL at the end */
	uint64_t min, max;        /* for sizes, durations (ns) and numbers; both 0: any */
	/* Further check of a string or an item. Negative: *ret_why, a static text, says what is
	 * wrong with it. Not called for empty ones and for defaults (which must pass it). */
	int (*check)(const char *value, const char **ret_why);
	const char *help; /* one line, for check's output and the man page */
};

enum conf_repeat {
	CONF_ONCE, /* [section]: one struct, always there with its defaults */
	/* [section name]: a struct each, in order of appearance; names are unique */
	CONF_NAMED,
	CONF_BOTH, /* [section] and [section name]: the unnamed one first, always there,
		       name "" */
};

struct conf_section {
	const char *name;
	enum conf_repeat repeat;
	const struct conf_option *options;
	size_t n_options;
	size_t size; /* of the section's struct */
};

/* What was read: for every section of the table its structs. Immutable afterwards. */
struct conf;

/* An error: FILE:LINE: what is wrong. Room for the longest path and a sentence. */
struct conf_error {
	char text[4096 + 512];
};

/* Reads `path`, then (when `path` ends in .conf) path + ".d"'s *.conf in C order: for
 * /etc/haul/agent.conf that is agent.conf.d/. A missing main file is fine when `optional`. Errors:
 * -EINVAL with `err`; -errno of reading, with `err` as well. */
int conf_read(const struct conf_section *sections, size_t n_sections, const char *path,
	      bool optional, struct conf **ret, struct conf_error *err) MUST_CHECK;

/* The same from memory: one file of that name, no directory. */
int conf_read_text(const struct conf_section *sections, size_t n_sections, const char *name,
		   struct span text, struct conf **ret, struct conf_error *err) MUST_CHECK;

/* Gives back everything, the sections' structs and what they point to included. */
void conf_free(struct conf *c);

/* How many structs a section has, the i-th of them, its name ("" unnamed), and where its header
 * stood ("FILE:LINE", "default"). Owned by the conf. */
size_t conf_count(const struct conf *c, const char *section);
const void *conf_get(const struct conf *c, const char *section, size_t i);
const char *conf_section_name(const struct conf *c, const char *section, size_t i);
const char *conf_where(const struct conf *c, const char *section, size_t i);

/* Where the key was written, at first for a list ("FILE:LINE"); NULL: nowhere, the default holds.
 * For errors that only show when several options are seen together. Owned by the conf. */
const char *conf_key_where(const struct conf *c, const char *section, size_t i, const char *key);

/* Was the key written in a file (not a default)? */
bool conf_given(const struct conf *c, const char *section, size_t i, const char *key);

/* Appends the whole configuration as it stands, defaults included, as a file that reads back. */
int conf_print(const struct conf *c, struct buf *out) MUST_CHECK;

#endif
