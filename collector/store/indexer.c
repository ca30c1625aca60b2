/* Writes the index: see indexer.h. Called by the janitor.
 *
 * Each class has one file of parts that grows. A part is written behind the durable length and
 * synced, then the head says the new length: a crash leaves the old length, and the next part is
 * written over what was torn. With SLAB_BLOCKS_MAX blocks the file becomes a slab: written beside,
 * synced, renamed, and only then is the file of parts removed. As long as both stand, readers take
 * the slab. A file that is written anew gets a new number.
 *
 * All that a file of parts holds is read again and checked before it becomes a slab: so what was
 * damaged meanwhile is left out and not made to look whole. */
#include "collector/store/indexer.h"

#include "collector/store/index_format.h"
#include "collector/store/parts.h"
#include "collector/store/slab.h"
#include "common/file.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_BYTES = sizeof(INDEX_DIR) + INDEX_CLASS_MAX + INDEX_FILE_MAX + 8 };

#define WRITING "writing.tmp"

struct class
{
	char name[INDEX_CLASS_MAX];
	uint32_t number; /* of the file of parts; 0: no file was ever there */
	bool open;       /* it is there */
	uint64_t length; /* durable */
	size_t blocks, parts;
	struct class *next;
};

struct indexer {
	struct indexer_config config;
	struct class *classes;
	struct buf record;
};

static void step(const struct indexer *x, const char *what)
{
	if (x->config.step)
		x->config.step(x->config.user, what);
}

static void class_path(const struct class *c, const char *name, char ret[PATH_BYTES])
{
	(void)snprintf(ret, PATH_BYTES, INDEX_DIR "/%s%s%s", c->name, *name ? "/" : "", name);
}

static void file_path(const struct class *c, uint32_t number, bool slab, char ret[PATH_BYTES])
{
	char name[INDEX_FILE_MAX];
	index_file_name(name, number, slab);
	class_path(c, name, ret);
}

static int sync_class(const struct indexer *x, const struct class *c)
{
	char path[PATH_BYTES];
	class_path(c, "", path);
	return tree_sync_dir(x->config.tree, path);
}

static int read_parts(const struct indexer *x, const struct class *c, uint32_t number,
		      struct parts *ret)
{
	char path[PATH_BYTES];
	file_path(c, number, false, path);
	return parts_read(x->config.tree, path, ret);
}

/* --- writing --- */

static int append(const struct indexer *x, struct class *c, int fd)
{
	char header[INDEX_PARTS_HEADER];
	uint64_t length = c->length + x->record.len;
	int r = file_pwrite_all(fd, buf_span(&x->record), c->length);
	if (r == 0)
		r = fdatasync(fd) < 0 ? -errno : 0;
	if (r < 0)
		return r;
	index_parts_header(header, length);
	step(x, "index-length");
	r = file_pwrite_all(fd, span_make(header, sizeof(header)), 0);
	if (r == 0)
		r = fdatasync(fd) < 0 ? -errno : 0;
	if (r == 0)
		c->length = length;
	return r;
}

/* Makes the class's next file of parts, empty. */
static int begin_parts(struct indexer *x, struct class *c)
{
	char path[PATH_BYTES], header[INDEX_PARTS_HEADER];
	if (c->number == UINT32_MAX)
		return -EOVERFLOW;
	c->number++;
	file_path(c, c->number, false, path);
	step(x, "index-begin");
	int fd = tree_open_file(x->config.tree, path, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	index_parts_header(header, sizeof(header));
	int r = file_pwrite_all(fd, span_make(header, sizeof(header)), 0);
	if (r == 0)
		r = fsync(fd) < 0 ? -errno : 0;
	file_close(&fd);
	if (r == 0)
		r = sync_class(x, c);
	if (r < 0)
		return r;
	c->open = true;
	c->length = INDEX_PARTS_HEADER;
	c->blocks = c->parts = 0;
	return 0;
}

static int remove_file(const struct indexer *x, const struct class *c, uint32_t number, bool slab)
{
	char path[PATH_BYTES];
	file_path(c, number, slab, path);
	step(x, "index-remove");
	int r = tree_remove(x->config.tree, path);
	return r == -ENOENT ? 0 : r;
}

static int write_slab(const struct indexer *x, const struct class *c, uint32_t number,
		      const struct parts *p)
{
	char path[PATH_BYTES], temporary[PATH_BYTES];
	class_path(c, WRITING, temporary);
	file_path(c, number, true, path);
	step(x, "slab-write");
	int fd = tree_open_file(x->config.tree, temporary, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	int r = slab_write(fd, p->items, p->n);
	if (r == 0)
		r = fsync(fd) < 0 ? -errno : 0;
	file_close(&fd);
	step(x, "slab-rename");
	if (r == 0)
		r = tree_rename(x->config.tree, temporary, path, true);
	return r < 0 ? r : sync_class(x, c);
}

/* The file of parts is full: it becomes a slab. */
static int turn(struct indexer *x, struct class *c)
{
	struct parts p = {0};
	int r = read_parts(x, c, c->number, &p);
	if (r < 0)
		return r;
	if (p.damaged)
		log_warning(
			"index %s/%08u.parts is damaged: what cannot be read of it is left out; "
			"`haul-collector reindex` makes it anew",
			c->name, c->number);
	parts_keep(&p, x->config.alive, x->config.user);
	if (p.n)
		r = write_slab(x, c, c->number, &p);
	parts_free(&p);
	if (r == 0)
		r = remove_file(x, c, c->number, false);
	if (r == 0)
		c->open = false;
	return r;
}

static struct class *find_class(struct indexer *x, const char *name)
{
	struct class *c = x->classes;
	while (c && strcmp(c->name, name) != 0)
		c = c->next;
	if (c || strlen(name) >= INDEX_CLASS_MAX)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	c->next = x->classes;
	x->classes = c;
	return c;
}

int indexer_add(struct indexer *x, const char *class, struct part *p)
{
	char path[PATH_BYTES];
	struct class *c = index_class_valid(span_of(class)) ? find_class(x, class) : NULL;
	if (!c)
		return -ENOMEM;
	bool full = c->open && (c->blocks + p->segment.n_blocks > SLAB_BLOCKS_MAX ||
				c->parts == SLAB_SEGMENTS_MAX);
	int r = full ? turn(x, c) : 0;
	if (r == 0 && !c->open)
		r = begin_parts(x, c);
	buf_clear(&x->record);
	if (r == 0)
		r = part_encode(p, &x->record);
	if (r < 0)
		return r;
	file_path(c, c->number, false, path);
	step(x, "index-append");
	int fd = tree_open_file(x->config.tree, path, O_RDWR);
	if (fd == -ENOENT)
		c->open = false; /* somebody deleted it: the next one begins anew */
	if (fd < 0)
		return fd;
	r = append(x, c, fd);
	file_close(&fd);
	if (r == 0) {
		c->blocks += p->segment.n_blocks;
		c->parts++;
	}
	return r;
}

/* --- what is there --- */

static int adopt_parts(struct indexer *x, struct class *c, uint32_t number)
{
	struct parts p = {0};
	int r = read_parts(x, c, number, &p);
	if (r == -EPROTONOSUPPORT) {
		log_notice("index %s/%08u.parts is of another haul and made anew", c->name, number);
		return remove_file(x, c, number, false);
	}
	if (r < 0)
		return r;
	if (p.damaged || c->open) {
		/* Damaged, or two of them: what is good becomes a slab of its own. */
		log_warning("index %s/%08u.parts is %s; what is good of it is kept", c->name,
			    number, p.damaged ? "damaged" : "left over");
		if (p.n)
			r = write_slab(x, c, number, &p);
		if (r == 0)
			r = remove_file(x, c, number, false);
	} else {
		c->open = true;
		c->number = number;
		c->length = p.bytes.len;
		c->blocks = p.blocks;
		c->parts = p.n;
	}
	parts_free(&p);
	return r;
}

/* What is done with each file of a class. */
typedef int each_file(struct indexer *x, struct class *c, uint32_t number, bool slab, void *user);

static int for_files(struct indexer *x, struct class *c, each_file *each, void *user)
{
	char path[PATH_BYTES];
	class_path(c, "", path);
	int fd = tree_open_dir(x->config.tree, path);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		file_close(&fd);
		return -ENOMEM;
	}
	int r = 0;
	for (struct dirent *e = readdir(dir); e && r == 0; e = readdir(dir)) {
		uint32_t number;
		bool slab;
		if (index_parse_file(span_of(e->d_name), &number, &slab) == 0)
			r = each(x, c, number, slab, user);
	}
	(void)closedir(dir);
	return r;
}

static int note_number(struct indexer *x, struct class *c, uint32_t number, bool slab, void *user)
{
	(void)x;
	(void)slab;
	(void)user;
	c->number = number > c->number ? number : c->number;
	return 0;
}

static int open_slab(const struct indexer *x, const struct class *c, uint32_t number,
		     struct slab **ret)
{
	char path[PATH_BYTES];
	file_path(c, number, true, path);
	int fd = tree_open_file(x->config.tree, path, O_RDONLY);
	return fd < 0 ? fd : slab_open(fd, ret);
}

/* Slabs that cannot be read go, and parts that have become slabs. */
static int tidy(struct indexer *x, struct class *c, uint32_t number, bool slab, void *user)
{
	struct slab *s;
	(void)user;
	int r = open_slab(x, c, number, &s);
	if (r == 0)
		slab_free(s);
	if (slab && (r == -EBADMSG || r == -EPROTONOSUPPORT)) {
		log_warning("index %s/%08u.slab is %s and removed; what is missing is made anew",
			    c->name, number, r == -EBADMSG ? "damaged" : "of another haul");
		return remove_file(x, c, number, true);
	}
	if (!slab)
		return r == 0 ? remove_file(x, c, number, false) : 0;
	return 0;
}

static int adopt(struct indexer *x, struct class *c, uint32_t number, bool slab, void *user)
{
	(void)user;
	return slab ? 0 : adopt_parts(x, c, number);
}

static int open_class(struct indexer *x, const char *name)
{
	char path[PATH_BYTES];
	struct class *c = find_class(x, name);
	if (!c)
		return -ENOMEM;
	class_path(c, WRITING, path);
	int r = tree_remove(x->config.tree, path); /* of a turn that was broken off */
	if (r == 0 || r == -ENOENT)
		r = for_files(x, c, tidy, NULL);
	uint32_t last = 0;
	if (r == 0)
		r = for_files(x, c, note_number, NULL);
	last = c->number;
	if (r == 0)
		r = for_files(x, c, adopt, NULL);
	if (!c->open)
		c->number = last;
	return r;
}

int indexer_open(const struct indexer_config *config, struct indexer **ret)
{
	struct indexer *x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->config = *config;
	int r = tree_make_dirs(config->tree, INDEX_DIR);
	int fd = r < 0 ? r : tree_open_dir(config->tree, INDEX_DIR);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	r = fd < 0 ? fd : dir ? 0 : -ENOMEM;
	for (struct dirent *e = dir ? readdir(dir) : NULL; e && r == 0; e = readdir(dir))
		if (index_class_valid(span_of(e->d_name)))
			r = open_class(x, e->d_name);
	if (dir)
		(void)closedir(dir);
	if (r < 0) {
		indexer_free(x);
		return r;
	}
	*ret = x;
	return 0;
}

void indexer_free(struct indexer *x)
{
	if (!x)
		return;
	while (x->classes) {
		struct class *c = x->classes;
		x->classes = c->next;
		free(c);
	}
	buf_free(&x->record);
	free(x);
}

/* --- letting go --- */

static int sweep_slab(struct indexer *x, struct class *c, uint32_t number, bool slab, void *user)
{
	const int32_t *last_day = user;
	struct slab *s;
	if (!slab)
		return 0;
	int r = open_slab(x, c, number, &s);
	if (r < 0)
		return r == -EBADMSG ? remove_file(x, c, number, true) : 0;
	bool dead = slab_first_day(s) <= *last_day;
	for (size_t i = 0; i < slab_segments(s) && dead; i++)
		dead = !x->config.alive(x->config.user, slab_segment(s, i));
	slab_free(s);
	return dead ? remove_file(x, c, number, true) : 0;
}

/* Parts that are left, into a new file. */
static int rewrite_parts(struct indexer *x, struct class *c, struct parts *p)
{
	uint32_t old = c->number;
	int r = 0;
	c->open = false;
	if (p->n)
		r = begin_parts(x, c);
	buf_clear(&x->record);
	for (size_t i = 0; i < p->n && r == 0; i++) {
		/* A view has no filters of its own: they stand one after another in the record. */
		struct part *part = &p->items[i];
		size_t len = 0;
		for (uint32_t b = 0; b < part->segment.n_blocks; b++)
			len += part->blocks[b].bits / 8;
		if (len)
			r = buf_add(&part->filters, part->blocks[0].filter, len);
		if (r == 0)
			r = part_encode(part, &x->record);
	}
	if (r == 0 && p->n) {
		char path[PATH_BYTES];
		file_path(c, c->number, false, path);
		int fd = tree_open_file(x->config.tree, path, O_RDWR);
		r = fd < 0 ? fd : append(x, c, fd);
		file_close(&fd);
		c->blocks = p->blocks;
		c->parts = p->n;
	}
	return r < 0 ? r : remove_file(x, c, old, false);
}

static int sweep_parts(struct indexer *x, struct class *c)
{
	struct parts p = {0};
	if (!c->open)
		return 0;
	int r = read_parts(x, c, c->number, &p);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	size_t before = p.n;
	parts_keep(&p, x->config.alive, x->config.user);
	if (p.n < before / 2 || (p.n == 0 && before))
		r = rewrite_parts(x, c, &p);
	parts_free(&p);
	return r;
}

int indexer_sweep(struct indexer *x, int32_t last_day)
{
	int r = 0;
	for (struct class *c = x->classes; c && r == 0; c = c->next) {
		r = for_files(x, c, sweep_slab, &last_day);
		if (r == 0)
			r = sweep_parts(x, c);
	}
	return r;
}

static int reset_file(struct indexer *x, struct class *c, uint32_t number, bool slab, void *user)
{
	(void)user;
	return remove_file(x, c, number, slab);
}

int indexer_reset(struct indexer *x)
{
	int r = 0;
	for (struct class *c = x->classes; c && r == 0; c = c->next) {
		r = for_files(x, c, reset_file, NULL);
		c->open = false;
		c->blocks = c->parts = 0;
	}
	return r;
}
