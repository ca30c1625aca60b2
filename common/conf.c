/* Configuration: what was read, for the programs; files and the .d directory. Called by the daemons
 * at start, at reload and by their `check`.
 *
 * Reading goes into a new struct conf that is given out only when all of it is right, so a reload
 * that fails leaves the old one alone. Invariant: every instance has every field set, from a file
 * or by default. Fails on the first thing that is wrong, with FILE:LINE; all that was read until
 * then is freed. The texts and tables are in conf_parse.c and conf_value.c. */
#include "common/conf.h"

#include "common/conf_parts.h"
#include "common/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* More than anybody writes; keeps a wrong path (a log, a device) from filling the memory. */
enum { FILE_MAX_BYTES = 4 << 20 };

/* --- what was read --- */

static void free_instance(const struct conf_section *section, struct conf_instance *instance)
{
	for (size_t i = 0; i < section->n_options; i++) {
		const struct conf_option *o = &section->options[i];
		if (instance->data)
			conf_value_clear(o, conf_field(o, instance->data));
		if (instance->given)
			free(instance->given[i]);
	}
	free(instance->given);
	free(instance->data);
	free(instance->where);
	free(instance->name);
}

static int fill_instance(const struct conf_section *section, struct span name, const char *where,
			 struct conf_instance *instance)
{
	instance->name = strndup(name.len ? name.ptr : "", name.len);
	instance->where = where ? strdup(where) : NULL;
	instance->data = calloc(1, section->size);
	instance->given = calloc(section->n_options + 1, sizeof(*instance->given));
	if (!instance->name || (where && !instance->where) || !instance->data || !instance->given)
		return -ENOMEM;
	for (size_t i = 0; i < section->n_options; i++) {
		const struct conf_option *o = &section->options[i];
		int r = conf_value_default(o, conf_field(o, instance->data));
		if (r < 0)
			return r;
	}
	return 0;
}

int conf_add_instance(struct conf_group *g, struct span name, const char *where,
		      struct conf_instance **ret)
{
	struct conf_instance *instances = realloc(g->instances, (g->n + 1) * sizeof(*instances));
	if (!instances)
		return -ENOMEM;
	g->instances = instances;
	struct conf_instance instance = {0};
	int r = fill_instance(g->section, name, where, &instance);
	if (r < 0) {
		free_instance(g->section, &instance);
		return r;
	}
	instances[g->n] = instance;
	*ret = &instances[g->n++];
	return 0;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_groups; i++) {
		struct conf_group *g = &c->groups[i];
		for (size_t k = 0; k < g->n; k++)
			free_instance(g->section, &g->instances[k]);
		free(g->instances);
	}
	free(c);
}

/* A configuration in which nothing is written: sections that are always there have their
 * defaults. */
static int make(const struct conf_section *sections, size_t n, struct conf **ret)
{
	struct conf *c = calloc(1, sizeof(*c) + n * sizeof(c->groups[0]));
	if (!c)
		return -ENOMEM;
	c->n_groups = n;
	for (size_t i = 0; i < n; i++) {
		struct conf_instance *unused;
		c->groups[i].section = &sections[i];
		if (sections[i].repeat == CONF_NAMED)
			continue;
		int r = conf_add_instance(&c->groups[i], span_of(""), NULL, &unused);
		if (r < 0) {
			conf_free(c);
			return r;
		}
	}
	*ret = c;
	return 0;
}

static const struct conf_group *group_of(const struct conf *c, const char *section)
{
	for (size_t i = 0; i < c->n_groups; i++)
		if (strcmp(c->groups[i].section->name, section) == 0)
			return &c->groups[i];
	assert(false && "a section of the table");
	return NULL;
}

static const struct conf_instance *instance_of(const struct conf *c, const char *section, size_t i)
{
	const struct conf_group *g = group_of(c, section);
	assert(i < g->n);
	return &g->instances[i];
}

size_t conf_count(const struct conf *c, const char *section)
{
	return group_of(c, section)->n;
}

const void *conf_get(const struct conf *c, const char *section, size_t i)
{
	return instance_of(c, section, i)->data;
}

const char *conf_section_name(const struct conf *c, const char *section, size_t i)
{
	return instance_of(c, section, i)->name;
}

const char *conf_where(const struct conf *c, const char *section, size_t i)
{
	const char *where = instance_of(c, section, i)->where;
	return where ? where : "default";
}

const char *conf_key_where(const struct conf *c, const char *section, size_t i, const char *key)
{
	const struct conf_section *s = group_of(c, section)->section;
	for (size_t k = 0; k < s->n_options; k++)
		if (strcmp(s->options[k].key, key) == 0)
			return instance_of(c, section, i)->given[k];
	assert(false && "a key of the table");
	return NULL;
}

bool conf_given(const struct conf *c, const char *section, size_t i, const char *key)
{
	return conf_key_where(c, section, i, key) != NULL;
}

static int print_instance(const struct conf_section *section, const struct conf_instance *instance,
			  struct buf *out)
{
	int r = buf_printf(out, "%s[%s%s%s]\n", out->len ? "\n" : "", section->name,
			   *instance->name ? " " : "", instance->name);
	for (size_t i = 0; r == 0 && i < section->n_options; i++) {
		const struct conf_option *o = &section->options[i];
		if (o->help)
			r = buf_printf(out, "# %s\n", o->help);
		if (r == 0)
			r = conf_value_print(o, conf_field(o, instance->data), out);
	}
	return r;
}

int conf_print(const struct conf *c, struct buf *out)
{
	size_t before = out->len;
	int r = 0;
	for (size_t i = 0; r == 0 && i < c->n_groups; i++)
		for (size_t k = 0; r == 0 && k < c->groups[i].n; k++)
			r = print_instance(c->groups[i].section, &c->groups[i].instances[k], out);
	if (r < 0)
		out->len = before;
	return r;
}

/* --- files --- */

static int cannot_read(const char *path, int r, struct conf_error *err)
{
	if (r == -EMSGSIZE)
		(void)snprintf(err->text, sizeof(err->text),
			       "%s: cannot be read: larger than %d MiB, is this a "
			       "configuration?",
			       path, FILE_MAX_BYTES >> 20);
	else
		(void)snprintf(err->text, sizeof(err->text), "%s: cannot be read: %s", path,
			       strerror(-r));
	return r;
}

static int read_one(struct conf *c, const char *path, bool optional, struct conf_error *err)
{
	struct buf text = BUF_EMPTY;
	int r = file_read(AT_FDCWD, path, FILE_MAX_BYTES, &text);
	if (r == 0)
		r = conf_parse(c, path, buf_span(&text), err);
	else if (r == -ENOENT && optional)
		r = 0;
	else
		r = cannot_read(path, r, err);
	buf_free(&text);
	return r;
}

/* Hidden names are what editors and package managers leave lying about. */
static int is_conf_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	       span_ends_with(span_of(entry->d_name), SPAN_LITERAL(".conf"));
}

/* Not alphasort: that follows the locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_entry(struct conf *c, const char *dir, const char *name, struct conf_error *err)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (len < 0 || (size_t)len >= sizeof(path))
		return cannot_read(dir, -ENAMETOOLONG, err);
	return read_one(c, path, false, err);
}

static int read_directory(struct conf *c, const char *dir, struct conf_error *err)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_conf_name, by_bytes);
	if (n < 0)
		return errno == ENOENT ? 0 : cannot_read(dir, -errno, err);
	int r = 0;
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = read_entry(c, dir, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int read_all(struct conf *c, const char *path, bool optional, struct conf_error *err)
{
	char dir[PATH_MAX];
	int r = read_one(c, path, optional, err);
	if (r < 0 || !span_ends_with(span_of(path), SPAN_LITERAL(".conf")))
		return r;
	int len = snprintf(dir, sizeof(dir), "%s.d", path);
	if (len < 0 || (size_t)len >= sizeof(dir))
		return cannot_read(path, -ENAMETOOLONG, err);
	return read_directory(c, dir, err);
}

int conf_read(const struct conf_section *sections, size_t n_sections, const char *path,
	      bool optional, struct conf **ret, struct conf_error *err)
{
	struct conf *c;
	int r = make(sections, n_sections, &c);
	if (r < 0)
		return cannot_read(path, r, err);
	r = read_all(c, path, optional, err);
	if (r < 0)
		conf_free(c);
	else
		*ret = c;
	return r;
}

int conf_read_text(const struct conf_section *sections, size_t n_sections, const char *name,
		   struct span text, struct conf **ret, struct conf_error *err)
{
	struct conf *c;
	int r = make(sections, n_sections, &c);
	if (r < 0)
		return cannot_read(name, r, err);
	r = conf_parse(c, name, text, err);
	if (r < 0)
		conf_free(c);
	else
		*ret = c;
	return r;
}
