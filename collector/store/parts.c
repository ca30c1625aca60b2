/* Files of parts, read: see parts.h. */
#include "collector/store/parts.h"

#include "collector/store/index_format.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

void parts_free(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++)
		part_free(&p->items[i]);
	free(p->items);
	buf_free(&p->bytes);
	*p = (struct parts){0};
}

static int parts_add(struct parts *p, struct part *part)
{
	if ((p->n & (p->n - 1)) == 0) { /* full at each power of two */
		struct part *items = realloc(p->items, (p->n ? p->n * 2 : 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		p->items = items;
	}
	p->blocks += part->segment.n_blocks;
	p->items[p->n++] = *part;
	return 0;
}

static int read_bytes(const struct tree *tree, const char *path, struct parts *p)
{
	char header[INDEX_PARTS_HEADER];
	uint64_t length = 0;
	int fd = tree_open_file(tree, path, O_RDONLY);
	if (fd < 0)
		return fd;
	ssize_t n = file_pread_full(fd, header, sizeof(header), 0);
	int r = n < 0 ? (int)n : n < INDEX_PARTS_HEADER ? -EBADMSG : 0;
	if (r == 0)
		r = index_parts_length(header, &length);
	if (r == 0)
		r = buf_reserve(&p->bytes, (size_t)length);
	if (r == 0) {
		n = file_pread_full(fd, p->bytes.ptr, (size_t)length, 0);
		p->damaged = n >= 0 && (uint64_t)n < length;
		p->bytes.len = n < 0 ? 0 : (size_t)n;
		r = n < 0 ? (int)n : 0;
	}
	file_close(&fd);
	return r;
}

int parts_read(const struct tree *tree, const char *path, struct parts *ret)
{
	struct parts p = {0};
	int r = read_bytes(tree, path, &p);
	if (r == -EBADMSG) {
		p.damaged = true;
		r = 0;
	}
	struct span rest = {0};
	if (p.bytes.len >= INDEX_PARTS_HEADER)
		rest = span_from(buf_span(&p.bytes), INDEX_PARTS_HEADER);
	while (r == 0 && rest.len) {
		struct part part;
		r = part_decode(&rest, true, &part);
		if (r == 0 && (r = parts_add(&p, &part)) < 0)
			part_free(&part);
	}
	if (r == -EBADMSG) {
		p.damaged = true;
		r = 0;
	}
	if (r < 0)
		parts_free(&p);
	else
		*ret = p;
	return r;
}

void parts_keep(struct parts *p, bool (*alive)(void *user, const struct part_segment *segment),
		void *user)
{
	size_t kept = 0;
	for (size_t i = 0; i < p->n; i++) {
		if (alive(user, &p->items[i].segment)) {
			p->items[kept++] = p->items[i];
		} else {
			p->blocks -= p->items[i].segment.n_blocks;
			part_free(&p->items[i]);
		}
	}
	p->n = kept;
}
