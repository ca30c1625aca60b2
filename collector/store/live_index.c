/* The index of live files, read: see live_index.h. Called by lookup.c for the reader, by
 * live_indexer.c to go on where a file of parts ends.
 *
 * Parts are read one at a time, so memory is that of the largest one. Blocks must follow one
 * another without a hole: a byte between two would be read by nobody. */
#include "collector/store/live_index.h"

#include "collector/store/index_format.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

enum { SEAM_BYTES = 4096 };

static const char suffix[] = ".parts";

void live_index_name(char dst[LIVE_INDEX_NAME_MAX], uint64_t inode)
{
	(void)snprintf(dst, LIVE_INDEX_NAME_MAX, "%" PRIu64 "%s", inode, suffix);
}

int live_index_parse_name(struct span name, uint64_t *ret_inode)
{
	size_t end = sizeof(suffix) - 1;
	if (name.len <= end || !span_equal(span_from(name, name.len - end), span_of(suffix)))
		return -EINVAL;
	return num_parse_u64(span_first(name, name.len - end), ret_inode) < 0 ? -EINVAL : 0;
}

int live_index_seam(int fd, uint64_t end, uint64_t *ret)
{
	char bytes[SEAM_BYTES];
	size_t len = end < SEAM_BYTES ? (size_t)end : SEAM_BYTES;
	ssize_t n = file_pread_full(fd, bytes, len, end - len);
	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return -EBADMSG;
	*ret = crc64_add(CRC64_EMPTY, bytes, len);
	return 0;
}

/* --- parts --- */

static bool is_of(const struct part_segment *s, const struct live_file *file)
{
	return s->day == file->day && (!file->number || s->number == file->number) &&
	       s->form == SEGMENT_CLOSED && span_equal(s->service, file->service) &&
	       span_equal(s->host, file->host);
}

/* Does the part begin where the one before ended, and has it no hole? */
static bool follows(const struct part *p, const struct live_reach *reach)
{
	uint64_t at = reach->covered;
	if (p->segment.first_block != reach->blocks || p->segment.n_blocks == 0)
		return false;
	for (uint32_t i = 0; i < p->segment.n_blocks; i++) {
		if (p->blocks[i].offset != at)
			return false;
		at += p->blocks[i].length;
	}
	return at == p->segment.size;
}

/* Reads one record. -EBADMSG: it is not whole. */
static int read_record(int fd, uint64_t at, uint64_t end, struct buf *scratch)
{
	char header[PART_HEADER_LEN];
	size_t length;
	if (end - at < sizeof(header))
		return -EBADMSG;
	ssize_t n = file_pread_full(fd, header, sizeof(header), at);
	if (n < 0)
		return (int)n;
	int r = n < PART_HEADER_LEN ? -EBADMSG : part_record_length(header, &length);
	if (r < 0 || length > end - at)
		return -EBADMSG;
	buf_clear(scratch);
	r = buf_reserve(scratch, length);
	if (r < 0)
		return r;
	n = file_pread_full(fd, scratch->ptr, length, at);
	scratch->len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? (int)n : scratch->len == length ? 0 : -EBADMSG;
}

/* Takes the part at `reach->length`, if it counts: else -EBADMSG. */
static int take_part(int fd, uint64_t end, const struct live_file *file, struct buf *scratch,
		     struct part *ret, struct live_reach *reach)
{
	int r = read_record(fd, reach->length, end, scratch);
	if (r < 0)
		return r;
	struct span record = buf_span(scratch);
	r = part_decode(&record, true, ret);
	if (r < 0)
		return r;
	if (!is_of(&ret->segment, file) || !follows(ret, reach)) {
		part_free(ret);
		return -EBADMSG;
	}
	*reach = (struct live_reach){.covered = ret->segment.size,
				     .blocks = reach->blocks + ret->segment.n_blocks,
				     .length = reach->length + scratch->len,
				     .seam = ret->segment.plain_crc};
	return 0;
}

int live_index_walk(int fd, const struct live_file *file, struct buf *scratch,
		    int (*each)(void *user, const struct part *p), void *user,
		    struct live_reach *ret)
{
	char header[INDEX_PARTS_HEADER];
	uint64_t end;
	ssize_t n = file_pread_full(fd, header, sizeof(header), 0);
	if (n < 0)
		return (int)n;
	int r = n < INDEX_PARTS_HEADER ? -EBADMSG : index_parts_length(header, &end);
	if (r < 0)
		return -EBADMSG;
	struct live_reach reach = {.length = INDEX_PARTS_HEADER, .seam = CRC64_EMPTY};
	while (r == 0 && reach.length < end) {
		struct part p;
		r = take_part(fd, end, file, scratch, &p, &reach);
		if (r < 0)
			break;
		r = each ? each(user, &p) : 0;
		part_free(&p);
		if (r < 0)
			return r;
	}
	if (r < 0 && r != -EBADMSG)
		return r;
	*ret = reach;
	return 0;
}

/* --- a question --- */

struct asking {
	const struct slab_query *query;
	struct slab_hits *hits;
};

static int ask_part(void *user, const struct part *p)
{
	const struct asking *a = user;
	int r = 0;
	for (uint32_t i = 0; i < p->segment.n_blocks && r == 0; i++) {
		const struct part_block *b = &p->blocks[i];
		if (slab_asks_block(a->query, b))
			r = slab_hits_add(a->hits,
					  (struct slab_hit){.length = b->length,
							    .offset = b->offset,
							    .plain_length = b->plain_length,
							    .block = p->segment.first_block + i});
	}
	return r;
}

int live_index_search(int dir, const struct live_file *file, int fd, const struct slab_query *query,
		      struct slab_hits *ret, uint64_t *ret_covered)
{
	char name[LIVE_INDEX_NAME_MAX];
	struct asking asking = {.query = query, .hits = ret};
	struct buf scratch = BUF_EMPTY;
	struct live_reach reach = {0};
	size_t before = ret->n;
	uint64_t seam;
	live_index_name(name, file->inode);
	int parts = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = parts < 0 ? -errno
			  : live_index_walk(parts, file, &scratch, ask_part, &asking, &reach);
	if (r == 0)
		r = live_index_seam(fd, reach.covered, &seam);
	file_close(&parts);
	buf_free(&scratch);
	if (r == 0 && seam == reach.seam) {
		*ret_covered = reach.covered;
		return 0;
	}
	ret->n = before;
	*ret_covered = 0;
	return r == -ENOMEM ? r : 0;
}
