/* The index of one segment: blocks gathered into parts, and these given to the indexer; see
 * archive_inside.h. Sealing gathers them as it goes, archive_index reads the sealed file. */
#include "collector/store/archive_inside.h"

#include "collector/store/sealed.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* An empty part more. NULL: no memory. */
static struct part *next_part(struct archive *a)
{
	if (!a->parts || a->n_parts == a->parts_capacity) {
		size_t capacity = a->parts_capacity ? a->parts_capacity * 2 : 4;
		struct part *parts = realloc(a->parts, capacity * sizeof(*parts));
		if (!parts)
			return NULL;
		a->parts = parts;
		a->parts_capacity = capacity;
	}
	struct part *p = &a->parts[a->n_parts++];
	*p = (struct part){0};
	return p;
}

int archive_add_block(struct archive *a, uint64_t offset, uint32_t length, uint32_t plain_length,
		      const struct digest *digest)
{
	struct part *last = a->n_parts ? &a->parts[a->n_parts - 1] : NULL;
	if (!last || last->segment.n_blocks == PART_BLOCKS_MAX)
		last = next_part(a);
	return last ? part_add(last, offset, length, plain_length, digest) : -ENOMEM;
}

int archive_put_parts(struct archive *a, const struct part_segment *segment, const char *class)
{
	uint32_t first = 0;
	int r = 0;
	for (size_t i = 0; i < a->n_parts && r == 0; i++) {
		uint32_t n = a->parts[i].segment.n_blocks;
		a->parts[i].segment = *segment;
		a->parts[i].segment.first_block = first;
		a->parts[i].segment.n_blocks = n;
		first += n;
		r = indexer_add(a->indexer, class, &a->parts[i]);
	}
	archive_free_parts(a);
	return r;
}

static uint32_t count_blocks(const struct archive *a)
{
	return a->n_parts ? (uint32_t)(a->n_parts - 1) * PART_BLOCKS_MAX +
				    a->parts[a->n_parts - 1].segment.n_blocks
			  : 0;
}

struct reading {
	struct archive *a;
	uint64_t plain_bytes, lines;
};

static int digest_block(void *user, const struct sealed_block *b)
{
	struct reading *reading = user;
	struct archive *a = reading->a;
	size_t taken;
	digest_clear(&a->digest);
	if (b->length > UINT32_MAX || b->plain.len > UINT32_MAX)
		return -EFBIG;
	int r = digest_take(&a->digest, b->plain, 0, &taken);
	if (r == 0)
		r = archive_add_block(a, b->offset, (uint32_t)b->length, (uint32_t)b->plain.len,
				      &a->digest);
	reading->plain_bytes += b->plain.len;
	reading->lines += a->digest.lines;
	return r < 0 ? r : archive_stopped(a);
}

struct part_segment archive_part_segment(const struct archive *a, const struct segment_row *row)
{
	return (struct part_segment){.day = row->day,
				     .service = row->service,
				     .host = row->host,
				     .number = row->number,
				     .blocks = count_blocks(a)};
}

int archive_index(struct archive *a, const struct segment_row *row, const char *class)
{
	char path[SEGMENT_PATH_MAX];
	enum segment_form form;
	uint64_t bytes;
	struct reading reading = {.a = a};
	int r = archive_look(a->tree, row, &form, &bytes);
	if (r < 0)
		return r;
	archive_row_path(row, form, path);
	int fd = tree_open_file(a->tree, path, O_RDONLY);
	if (fd < 0)
		return fd;
	archive_free_parts(a);
	a->digest.service = row->service;
	a->digest.host = row->host;
	r = sealed_walk(fd, form, bytes, digest_block, &reading);
	file_close(&fd);
	if (r < 0) {
		archive_free_parts(a);
		return r;
	}
	struct part_segment segment = archive_part_segment(a, row);
	segment.form = form;
	segment.size = bytes;
	segment.plain_bytes = reading.plain_bytes;
	segment.plain_crc = row->crc;
	segment.lines = reading.lines;
	return archive_put_parts(a, &segment, class);
}
