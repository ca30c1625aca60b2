/* Closed places: see blocked.h. Recovery finds them, judge.c asks, the keeper looks whether they
 * are open again.
 *
 * A directory counts as open when it can be opened beneath DATA_DIR without leaving its file
 * system, and written; a file, when it can be opened to read and write. The same is asked when a
 * place is found and when it is looked at again, so that the two never disagree. */
#include "collector/store/blocked.h"

#include "common/array.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

bool blocked_error(int error)
{
	return error == -EACCES || error == -EPERM || error == -EROFS || error == -EXDEV;
}

bool blocked_dir(const struct tree *t, int32_t day, struct span service, struct blocked_place *ret)
{
	struct blocked_place p = {.day = day};
	(void)segment_name_dir(p.path, day, service);
	int r = tree_writable(t, p.path);
	p.service_len = service.len;
	if (r == -ENOENT) {
		p.path[CIVIL_DAY_LEN] = '\0';
		p.service_len = 0;
		r = tree_writable(t, p.path);
	}
	if (r == -ENOENT) {
		memcpy(p.path, ".", sizeof("."));
		r = tree_writable(t, p.path);
	}
	p.error = r;
	if (blocked_error(r))
		*ret = p;
	return blocked_error(r);
}

int blocked_add(struct blocked *b, const struct blocked_place *place)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->places[i].day == place->day && strcmp(b->places[i].path, place->path) == 0)
			return 0;
	int r = array_room(&b->places, b->n, &b->capacity, sizeof(*b->places));
	if (r < 0)
		return r;
	b->places[b->n++] = *place;
	log_error("%s: cannot be written: %s; its lines wait at their agents, all others go on",
		  place->path, strerror(-place->error));
	return 0;
}

void blocked_free(struct blocked *b)
{
	free(b->places);
	*b = (struct blocked){0};
}

static bool covers(const struct blocked_place *p, int32_t day, struct span service)
{
	if (p->file || p->day != day)
		return false;
	return p->service_len == 0 ||
	       span_equal(span_make(p->path + CIVIL_DAY_LEN + 1, p->service_len), service);
}

bool blocked_for(const struct blocked *b, int32_t day, struct span service)
{
	for (size_t i = 0; i < b->n; i++)
		if (covers(&b->places[i], day, service))
			return true;
	return false;
}

static bool is_open(const struct blocked_place *p, const struct tree *t)
{
	if (!p->file)
		return !blocked_error(tree_writable(t, p->path));
	int fd = tree_open_file(t, p->path, O_RDWR);
	bool open = !blocked_error(fd);
	file_close(&fd);
	return open;
}

const struct blocked_place *blocked_opened(const struct blocked *b, const struct tree *t)
{
	for (size_t i = 0; i < b->n; i++)
		if (is_open(&b->places[i], t))
			return &b->places[i];
	return NULL;
}
